// SPDX-License-Identifier: Apache-2.0
//
// Each shell asks `taskmonctl __complete`, which answers with a first line that says how (words, unended: no blank
// after the word, files), then a word and its help on each line, with a tab between.
#include "client/completion/complete.h"

namespace taskmon::client {
namespace {

constexpr std::string_view kBash = R"SH(# bash completion of taskmonctl: eval "$(taskmonctl completion bash)"
_taskmonctl() {
  # bash breaks words at characters that are part of ours, so they are put together again.
  local rest=${COMP_LINE:0:COMP_POINT} i how line kept=
  local -a words=() found=()
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    if [[ $i = 0 || $rest = [[:space:]]* ]]; then words+=(''); fi
    while [[ $rest = [[:space:]]* ]]; do rest=${rest#?}; done
    if [ $i = "$COMP_CWORD" ]; then words[-1]+=$rest; else words[-1]+=${COMP_WORDS[i]}; fi
    rest=${rest#"${COMP_WORDS[i]}"}
  done
  local cur=${words[-1]}
  case $cur in
    [\"\']*) words[-1]=${cur#?} ;; # an open quote is the shell's business
    *@*) kept=${cur%@*} ;;         # replaced from here on
    *) kept=${cur%"${cur##*[=:<>]}"} ;;
  esac
  {
    IFS= read -r how
    while IFS= read -r line; do
      line=${line%%$'\t'*}
      line=${line#"$kept"}
      case $cur in [\"\']*) ;; *) case $line in *[!A-Za-z0-9_.,:@=/+%-]*) line=$(printf %q "$line") ;; esac ;; esac
      found+=("$line")
    done
  } < <(taskmonctl __complete -- "${words[@]:1}" 2>/dev/null)
  case $how in
    files) compopt -o default; COMPREPLY=(); return ;;
    unended) compopt -o nospace ;;
  esac
  COMPREPLY=("${found[@]}")
}
complete -F _taskmonctl taskmonctl
)SH";

constexpr std::string_view kZsh = R"SH(#compdef taskmonctl
# zsh completion of taskmonctl: a file _taskmonctl in $fpath, or eval "$(taskmonctl completion zsh)"
_taskmonctl() {
  local -a answer found options
  local line word help
  answer=("${(@f)$(taskmonctl __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  case $answer[1] in
    files) _files; return ;;
    unended) options=(-S '') ;;
  esac
  for line in "${(@)answer[2,-1]}"; do
    [[ -z $line ]] && continue
    word=${line%%$'\t'*} help=${line#*$'\t'}
    found+=("${word//:/\\:}:$help")
  done
  _describe -V taskmonctl found "${(@)options}"
}
if [[ $funcstack[1] == _taskmonctl ]]; then _taskmonctl "$@"; else compdef _taskmonctl taskmonctl; fi
)SH";

constexpr std::string_view kFish = R"SH(# fish completion of taskmonctl: taskmonctl completion fish | source
function __taskmonctl_complete
    set -l words (commandline -opc) (commandline -ct | string unescape)
    set -l answer (taskmonctl __complete -- $words[2..-1] 2>/dev/null)
    if test "$answer[1]" = files
        __fish_complete_path (commandline -ct)
        return
    end
    printf '%s\n' $answer[2..-1]
end
complete -c taskmonctl -f -a '(__taskmonctl_complete)'
)SH";

}  // namespace

const std::vector<std::string>& CompletionShells() {
  static const std::vector<std::string> kShells = {"bash", "zsh", "fish"};
  return kShells;
}

std::string_view CompletionScript(std::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  return shell == "fish" ? kFish : std::string_view();
}

}  // namespace taskmon::client
