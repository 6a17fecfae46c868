// SPDX-License-Identifier: Apache-2.0
#include "client/top/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::client::top {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void Type(const std::string& text, Prompt* prompt) {
  for (const char c : text) prompt->Press({.code = KeyCode::kChar, .ch = static_cast<char32_t>(c)});
}

Prompt WithWords() { return Prompt(Prompt::Kind::kFilter, "", {"cmdline", "comm", "container", "cpu"}); }

TEST(Prompt, TabCompletesAsFarAsAllAgreeThenGoesThroughThem) {
  Prompt prompt = WithWords();
  Type("!(co", &prompt);
  prompt.Press({.code = KeyCode::kTab});
  EXPECT_EQ(prompt.text(), "!(co");
  EXPECT_THAT(prompt.candidates(), ElementsAre("comm", "container"));
  prompt.Press({.code = KeyCode::kTab});
  EXPECT_EQ(prompt.text(), "!(comm");
  prompt.Press({.code = KeyCode::kTab});
  EXPECT_EQ(prompt.text(), "!(container");
  prompt.Press({.code = KeyCode::kTab});
  EXPECT_EQ(prompt.text(), "!(comm");
  Type(" ", &prompt);
  EXPECT_THAT(prompt.candidates(), IsEmpty());
}

TEST(Prompt, TheOnlyCandidateIsTakenAndNoneIsNone) {
  Prompt prompt = WithWords();
  Type("cm", &prompt);
  prompt.Press({.code = KeyCode::kTab});
  EXPECT_EQ(prompt.text(), "cmdline");
  Type(" zz", &prompt);
  prompt.Press({.code = KeyCode::kTab});
  EXPECT_EQ(prompt.text(), "cmdline zz");
}

TEST(Prompt, EditsInTheMiddleAndByWholeCharacters) {
  Prompt prompt(Prompt::Kind::kFilter, "", {});
  prompt.Press({.code = KeyCode::kChar, .ch = U'ä'});
  prompt.Press({.code = KeyCode::kChar, .ch = U'€'});
  EXPECT_EQ(prompt.text(), "ä€");
  prompt.Press({.code = KeyCode::kLeft});
  EXPECT_EQ(prompt.cursor(), 2u);
  prompt.Press({.code = KeyCode::kBackspace});
  EXPECT_EQ(prompt.text(), "€");
  prompt.Press({.code = KeyCode::kDelete});
  EXPECT_EQ(prompt.text(), "");
  prompt.Press({.code = KeyCode::kBackspace});
  prompt.Press({.code = KeyCode::kDelete});
  EXPECT_EQ(prompt.cursor(), 0u);
}

TEST(Prompt, ControlCharactersAreNotTyped) {
  Prompt prompt(Prompt::Kind::kFilter, "", {});
  Type("a\x01\x1b\x7f", &prompt);
  EXPECT_EQ(prompt.text(), "a");
  Type("b", &prompt);
  EXPECT_EQ(prompt.text(), "ba") << "Ctrl-A goes to the beginning";
  prompt.Press({.code = KeyCode::kEnd});
  prompt.Press({.code = KeyCode::kChar, .ch = Control('u')});
  EXPECT_EQ(prompt.text(), "");
  EXPECT_EQ(prompt.Press({.code = KeyCode::kEscape}), Prompt::Outcome::kCancelled);
}

TEST(Prompt, IsBounded) {
  Prompt prompt(Prompt::Kind::kFilter, "", {});
  Type(std::string(10'000, 'x'), &prompt);
  EXPECT_EQ(prompt.text().size(), 4096u);
}

}  // namespace
}  // namespace taskmon::client::top
