#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# C++ sources are as clang-format leaves them (./dev fmt). The kernel side has the kernel's style.
set -euo pipefail
cd "$1"
find proto storage daemon client tests bpf -type f \( -name '*.cc' -o -name '*.h' \) \
  ! -name '*.bpf.h' ! -name taskmon_abi.h -print0 | xargs -0 clang-format --dry-run -Werror
