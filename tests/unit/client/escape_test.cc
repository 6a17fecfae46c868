// SPDX-License-Identifier: Apache-2.0
#include "client/output/escape.h"

#include <gtest/gtest.h>

#include "json_reader.h"

namespace taskmon::client {
namespace {

std::string Json(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

TEST(TerminalSafe, ShowsEscapeSequencesInsteadOfSendingThem) {
  EXPECT_EQ(TerminalSafe("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(TerminalSafe("a\nb\tc\r\x7f"), "a\\x0ab\\x09c\\x0d\\x7f");
  EXPECT_EQ(TerminalSafe("\xc2\x9b"
                         "31m"),
            "\\x9b31m");  // CSI as one C1 character
}

TEST(TerminalSafe, ShowsInvalidBytesAndReorderingCharacters) {
  EXPECT_EQ(TerminalSafe("a\xff\xc3"), "a\\xff\\xc3");
  EXPECT_EQ(TerminalSafe("x\xe2\x80\xaey"), "x\\u{202e}y");
  EXPECT_EQ(TerminalSafe("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(TerminalSafe("\xc0\xaf"), "\\xc0\\xaf");           // overlong
}

TEST(TerminalSafe, LeavesOtherScriptsAlone) { EXPECT_EQ(TerminalSafe("日本語 é"), "日本語 é"); }

TEST(Cut, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("日本"), 4u);
  EXPECT_EQ(Cut("日本語", 6), "日本語");
  EXPECT_EQ(Cut("日本語", 5), "日本…");
  EXPECT_EQ(Cut("日本語", 4), "日…");
  EXPECT_EQ(Cut("abcdef", 4), "abc…");
  EXPECT_EQ(Cut("abcdef", 1), "…");
}

TEST(JsonString, IsValidForEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  const std::string back = ReadJson(Json(all)).string_value();
  EXPECT_EQ(back.substr(0, 128), all.substr(0, 128));
  EXPECT_NE(back.find("\xef\xbf\xbd"), std::string::npos);
}

TEST(JsonString, EscapesWhatTheFormatAsksFor) {
  EXPECT_EQ(Json("a\"b\\c\n\x1b"), "\"a\\\"b\\\\c\\n\\u001b\"");
  EXPECT_EQ(Json("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
}

TEST(CsvField, QuotesOnlyWhereNeeded) {
  EXPECT_EQ(CsvField("plain text"), "plain text");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(CsvField("a\nb"), "\"a\nb\"");
  EXPECT_EQ(CsvField("\x1b[0m"), "\\x1b[0m");
}

}  // namespace
}  // namespace taskmon::client
