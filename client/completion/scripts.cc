// SPDX-License-Identifier: Apache-2.0
//
// Each shell asks `taskmonctl __complete`, which answers with a first line that says how (words, unended: no blank
// after the word, files), then a word and its help on each line, with a tab between.
#include "client/completion/complete.h"

namespace taskmon::client {
namespace {

constexpr std::string_view kBash = R"SH(# bash completion of taskmonctl: eval "$(taskmonctl completion bash)"
_taskmonctl() {
  local cur=${COMP_WORDS[COMP_CWORD]} how line
  local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}") found=()
  # bash breaks words at characters that are part of ours.
  if declare -F _get_comp_words_by_ref >/dev/null; then
    local cword
    _get_comp_words_by_ref -n '=:@<>' cur words cword
    words=("${words[@]:1:cword}")
  fi
  local kept=${cur%"${cur##*[=:@<>]}"} last=$((${#words[@]} - 1))
  # An open quote is the shell's business.
  [ $last -ge 0 ] && words[last]=${words[last]#[\"\']}
  {
    IFS= read -r how
    while IFS= read -r line; do
      line=${line%%$'\t'*}
      case $line in
        *[!A-Za-z0-9_.,:@=/+%-]*) case $cur in [\"\']*) ;; *) line=$(printf %q "$line") ;; esac ;;
      esac
      found+=("${line#"$kept"}")
    done
  } < <(taskmonctl __complete -- "${words[@]}" 2>/dev/null)
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
