// SPDX-License-Identifier: Apache-2.0
//
// Writes a manual page in man(7)'s macros. Texts are taken as they are: what would be a request or an escape to roff is
// made harmless here.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace taskmon::man {

class Page {
 public:
  Page(std::string_view name, int section, std::string_view manual, std::string_view purpose) {
    text_ = ".\\\" Generated: change what it is made from.\n.TH \"" + Upper(name) + "\" " + std::to_string(section) +
            " \"\" \"taskmon " TASKMON_VERSION "\" \"" + std::string(manual) + "\"\n";
    Section("NAME");
    text_ += Safe(std::string(name)) + " \\- " + Safe(purpose) + "\n";
  }

  void Section(std::string_view title) { text_ += ".SH \"" + std::string(title) + "\"\n"; }
  void Sub(std::string_view title) { text_ += ".SS \"" + Safe(title) + "\"\n"; }
  void Paragraph(std::string_view text) { text_ += ".PP\n" + Line(text); }
  // A word in bold with what it means.
  void Item(std::string_view word, std::string_view argument, std::string_view meaning) {
    text_ += ".TP\n\\fB" + Safe(word) + "\\fR";
    if (!argument.empty()) text_ += " \\fI" + Safe(argument) + "\\fR";
    text_ += "\n" + Line(meaning.empty() ? "\\&" : meaning);
  }
  // Lines that stay as they are.
  void Example(std::string_view lines) {
    text_ += ".PP\n.RS 2\n.nf\n";
    std::istringstream stream{std::string(lines)};
    for (std::string line; std::getline(stream, line);) text_ += "\\&" + Safe(line) + "\n";
    text_ += ".fi\n.RE\n";
  }
  const std::string& text() const { return text_; }

 private:
  static std::string Upper(std::string_view text) {
    std::string upper;
    for (const char c : text) upper += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return upper;
  }
  static std::string Safe(std::string_view text) {
    std::string safe;
    for (const char c : text) {
      switch (c) {
        case '\\': safe += "\\e"; break;
        case '-': safe += "\\-"; break;
        case '\'': safe += "\\(aq"; break;
        case '`': safe += "\\(ga"; break;
        case '^': safe += "\\(ha"; break;
        case '~': safe += "\\(ti"; break;
        case '"': safe += "\\(dq"; break;
        default: safe += c;
      }
    }
    return safe;
  }
  static std::string Line(std::string_view text) {
    if (text == "\\&") return "\\&\n";
    return "\\&" + Safe(text) + "\n";
  }

  std::string text_;
};

}  // namespace taskmon::man
