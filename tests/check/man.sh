#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# man.sh BUILD SOURCE: every manual page is read without a complaint, and has something to say.
set -euo pipefail
failed=0
for page in "$1"/man/*.[1578] "$2"/packaging/man/taskmond.8; do
  warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
  [ -z "$warnings" ] || { printf '%s\n%s\n' "$page:" "$warnings"; failed=1; }
  lines=$(LC_ALL=C.UTF-8 MANWIDTH=100 man -l "$page" 2>/dev/null | wc -l)
  [ "$lines" -gt 30 ] || { echo "$page has only $lines lines"; failed=1; }
done
exit $failed
