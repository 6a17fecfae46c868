#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The arrows of ARCHITECTURE.md: which folder may include which, and which outside library has which one home.
set -euo pipefail
cd "$1"
failed=0
complain() { printf '%s\n' "$*"; failed=1; }

# allow FOLDER PATTERN: includes of our own headers in FOLDER must match PATTERN. daemon/query and daemon/rules are
# folders of their own.
allow() {
  local folder=$1 pattern=$2 file line
  while IFS=: read -r file line; do
    [[ $folder == daemon && $file == daemon/@(query|rules)/* ]] && continue
    local header=${line#*\"}
    header=${header%%\"*}
    [[ $header =~ $pattern ]] || complain "$file: $folder may not include \"$header\""
  done < <(grep -rE --include='*.cc' --include='*.h' --include='*.c' '^#include "' "$folder" || true)
}
allow proto '^(proto|taskmon/v1)/'
allow bpf '^(bpf/|[a-z]+_abi\.h|[a-z_]+\.bpf\.h|taskmon\.skel\.h)'
allow storage '^storage/'
allow daemon/query '^(daemon/query|storage|proto|taskmon/v1)/'
allow daemon/rules '^(daemon/rules|daemon/query|storage|proto|taskmon/v1)/|^bpf/kernel_rules\.h$'
allow daemon '^(daemon|bpf|storage|proto|taskmon/v1)/'
allow client '^(client|daemon/query|storage/sample\.h|proto|taskmon/v1)/?'

# home FOLDER PATTERN: an outside header that only FOLDER includes.
home() {
  local folder=$1 pattern=$2 hits
  hits=$(grep -rlE --include='*.cc' --include='*.h' "$pattern" proto bpf storage daemon client | grep -v "^$folder[/.]" || true)
  [ -z "$hits" ] || complain "only $folder may include $pattern: $hits"
}
home bpf '#include <bpf/'
home storage '#include <sqlite3.h>'
home storage '#include <zstd.h>'
home daemon/query '#include <re2/'
home client/top '#include <curses.h>'
home client/export '#include <microhttpd.h>'
home daemon/rules '#include <toml\+\+/'
home daemon/privileges '#include <cap-ng.h>'
home daemon/service_manager '#include <systemd/'

while read -r file; do
  head -n 3 "$file" | grep -q 'SPDX-License-Identifier:' || complain "$file: no SPDX-License-Identifier in the first lines"
done < <(find proto bpf storage daemon client tests cmake packaging/man -type f \( -name '*.cc' -o -name '*.h' -o -name '*.c' \
  -o -name '*.proto' -o -name '*.cmake' -o -name 'CMakeLists.txt' -o -name '*.sh' -o -name '*.py' \))
exit $failed
