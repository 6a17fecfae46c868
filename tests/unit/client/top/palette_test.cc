// SPDX-License-Identifier: Apache-2.0
#include "client/top/palette.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskmon::client::top {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> MatchesOf(const std::string& text) {
  std::vector<std::string> names;
  for (const PaletteEntry* entry : PaletteMatches(text)) names.emplace_back(entry->name);
  return names;
}

TEST(Palette, TellsWhatTheTextMayBecome) {
  EXPECT_THAT(MatchesOf(""), Contains("columns"));
  EXPECT_THAT(MatchesOf("f"), ElementsAre("filter", "fold"));
  EXPECT_THAT(MatchesOf("fold"), ElementsAre("fold"));
  EXPECT_THAT(MatchesOf("so rss"), ElementsAre("sort"));
  EXPECT_THAT(MatchesOf("f rss"), IsEmpty()) << "two could be meant, and the name is over";
  EXPECT_THAT(MatchesOf("x"), IsEmpty());
}

TEST(Palette, CompletesNamesAndThenWhatTheyTake) {
  EXPECT_THAT(PaletteWords("gr"), Contains("group"));
  EXPECT_THAT(PaletteWords("group "), ElementsAre("app", "container", "none", "program", "unit", "user"));
  EXPECT_THAT(PaletteWords("sort "), Contains("rss"));
  EXPECT_THAT(PaletteWords("columns cpu,"), Contains("default"));
  EXPECT_THAT(PaletteWords("filter "), Contains("anomaly"));
  EXPECT_THAT(PaletteWords("quit "), IsEmpty());
}

TEST(Palette, TakesShortNamesAndSaysWhatIsWrong) {
  EXPECT_EQ(ParsePalette("q")->verb, Verb::kQuit);
  EXPECT_EQ(ParsePalette("j  yesterday 03:12")->argument, "yesterday 03:12");
  EXPECT_EQ(ParsePalette("filter")->argument, "") << "clears it";
  const auto message = [](const std::string& text) { return std::string(ParsePalette(text).status().message()); };
  EXPECT_THAT(message("t"), HasSubstr("threads or tree"));
  EXPECT_THAT(message("sotr rss"), HasSubstr("did you mean 'sort'"));
  EXPECT_THAT(message("sort"), HasSubstr("FIELD"));
  EXPECT_THAT(message("quit now"), HasSubstr("takes nothing more"));
}

}  // namespace
}  // namespace taskmon::client::top
