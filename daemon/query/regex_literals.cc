// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/regex_literals.h"

#include <utility>

namespace taskmon::query {
namespace {

constexpr size_t kMaxTexts = 64;

bool IsPunctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

bool IsSpecial(char c) { return std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos; }

// Takes "^", literals, one group of alternatives at most, "$" or ".*" at the end.
class Scanner {
 public:
  explicit Scanner(std::string_view regex) : rest_(regex) {}

  std::optional<RegexLiterals> Scan() {
    if (!Take("^")) return std::nullopt;
    RegexLiterals found;
    std::string before;
    std::vector<std::string> group{""};
    std::string after;
    if (!Literal(&before) || !Group(&group) || !Literal(&after)) return std::nullopt;
    found.whole = Take("$");
    if (!found.whole) Take(".*");
    if (!rest_.empty() || Repeats()) return std::nullopt;
    for (const std::string& text : group) found.texts.push_back(before + text + after);
    return found;
  }

 private:
  bool Take(std::string_view text) {
    if (rest_.substr(0, text.size()) != text) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool Repeats() const { return !rest_.empty() && std::string_view("?*+{").find(rest_[0]) != std::string_view::npos; }

  // False: what comes is more than fixed text.
  bool Literal(std::string* text) {
    while (!rest_.empty()) {
      size_t length = 1;
      if (rest_[0] == '\\') {
        if (rest_.size() < 2 || !IsPunctuation(rest_[1])) return false;
        length = 2;
      } else if (IsSpecial(rest_[0])) {
        return true;
      }
      *text += rest_[length - 1];
      rest_.remove_prefix(length);
      if (Repeats()) return false;
    }
    return true;
  }

  bool Group(std::vector<std::string>* texts) {
    if (!Take("(")) return true;
    Take("?:");
    texts->clear();
    do {
      std::string text;
      if (!Literal(&text) || texts->size() == kMaxTexts) return false;
      texts->push_back(std::move(text));
    } while (Take("|"));
    return Take(")") && !Repeats();
  }

  std::string_view rest_;
};

}  // namespace

std::optional<RegexLiterals> LiteralsOf(std::string_view regex) { return Scanner(regex).Scan(); }

}  // namespace taskmon::query
