#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# format.sh ROOT [--fix]: C++ sources are as clang-format leaves them. Headers that plain C or BPF reads have the
# kernel's style and are left alone.
set -euo pipefail
cd "$1"
mode=(--dry-run -Werror)
[ "${2:-}" = --fix ] && mode=(-i)
find proto storage daemon client tests bpf -type f \( -name '*.cc' -o -name '*.h' \) \
  ! -name '*.bpf.h' ! -name '*_abi.h' ! -name abi_layout.h -print0 | xargs -0 clang-format "${mode[@]}"
