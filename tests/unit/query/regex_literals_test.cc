// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/regex_literals.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

namespace taskmon::query {
namespace {

using testing::ElementsAre;

std::vector<std::string> Prefixes(std::string_view regex) {
  const auto found = LiteralsOf(regex);
  return found && !found->whole ? found->texts : std::vector<std::string>{"none"};
}

TEST(RegexLiterals, FindsAnchoredPrefixes) {
  EXPECT_THAT(Prefixes("^web"), ElementsAre("web"));
  EXPECT_THAT(Prefixes("^web.*"), ElementsAre("web"));
  EXPECT_THAT(Prefixes("^(kswapd|jbd2|kworker)"), ElementsAre("kswapd", "jbd2", "kworker"));
  EXPECT_THAT(Prefixes("^(?:a|b)c"), ElementsAre("ac", "bc"));
  EXPECT_THAT(Prefixes("^md(0|1)_raid"), ElementsAre("md0_raid", "md1_raid"));
  EXPECT_THAT(Prefixes("^jbd2/"), ElementsAre("jbd2/"));
  EXPECT_THAT(Prefixes("^a\\.b\\\\c"), ElementsAre("a.b\\c"));
  EXPECT_THAT(Prefixes("^"), ElementsAre(""));
}

TEST(RegexLiterals, FindsWholeTexts) {
  const auto found = LiteralsOf("^(nginx|httpd)$");
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->whole);
  EXPECT_THAT(found->texts, ElementsAre("nginx", "httpd"));
}

TEST(RegexLiterals, LeavesEverythingElseAlone) {
  for (const char* regex :
       {"web",       "",        "web$",     "^w.b",     "^web+",     "^web?",   "^we*",    "^web{2}",
        "^[wv]eb",   "^(a|b)+", "^(a|b)?c", "^(a|b+)",  "^(a(b|c))", "^a|b",    "a|^b",    "^(?i)web",
        "^(?i:web)", "^\\d",    "^\\bweb",  "^web\\b",  "^web.+",    "^web.*x", "^web.*$", "^(a|b)(c|d)",
        "(^a|b)",    "^^a",     "^a$b",     "^\\Qa\\E", "^(?P<n>a)"}) {
    EXPECT_FALSE(LiteralsOf(regex).has_value()) << regex;
  }
}

bool MatchesLiterals(const RegexLiterals& literals, const std::string& text) {
  return std::any_of(literals.texts.begin(), literals.texts.end(), [&](const std::string& literal) {
    return literals.whole ? text == literal : text.compare(0, literal.size(), literal) == 0;
  });
}

TEST(RegexLiterals, MeansWhatTheRegexMeans) {
  std::mt19937 random(4);
  const std::string pieces[] = {"a", "b", "^", "$", "(", ")", "|", "\\.", ".", "*", "?", ".*", "?:", "\\", "{", "\xe9"};
  const auto text_of = [&](auto pick, size_t longest) {
    std::string text;
    for (size_t n = random() % (longest + 1); n > 0; --n) text += pick();
    return text;
  };
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  int found = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string regex = "^" + text_of([&] { return pieces[random() % std::size(pieces)]; }, 8);
    const re2::RE2 compiled(regex, options);
    const auto literals = LiteralsOf(regex);
    if (!compiled.ok() || !literals) continue;
    ++found;
    for (int j = 0; j < 20; ++j) {
      const std::string text = text_of([&] { return "ab.\xe9"[random() % 4]; }, 5);
      ASSERT_EQ(MatchesLiterals(*literals, text), re2::RE2::PartialMatch(text, compiled)) << regex << " on " << text;
    }
  }
  EXPECT_GT(found, 1000);
}

}  // namespace
}  // namespace taskmon::query
