// SPDX-License-Identifier: Apache-2.0
//
// Cuts an expression into tokens, one at a time. What a word means (field, text, number with unit) depends on where it
// stands, so that is left to the parser. Works on the caller's text, which must outlive the lexer and its tokens.
#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace taskmon::query {

enum class TokenKind { kEnd, kWord, kQuoted, kAnd, kOr, kNot, kLeftParen, kRightParen, kComma, kOperator };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // quoted: without quotes and escapes
  int column = 1;    // characters (not bytes) from 1
  size_t begin = 0;  // bytes of the expression's text
  size_t end = 0;
};

class ExpressionLexer {
 public:
  explicit ExpressionLexer(std::string_view text_untrusted) : text_(text_untrusted) {}

  // InvalidArgument: a character that starts no token, or a quote without end. kEnd again and again at the end.
  absl::StatusOr<Token> Next();

 private:
  void SkipBlanks();
  void Advance(size_t bytes);
  absl::StatusOr<Token> Read();
  absl::StatusOr<Token> Quoted();
  absl::StatusOr<Token> Symbol();

  std::string_view text_;
  size_t at_ = 0;
  int column_ = 1;
};

// "column 7: what", as InvalidArgument.
absl::Status ErrorAt(int column, const std::string& what);

// On one line: control bytes as \x0a.
std::string Escape(std::string_view text_untrusted);

// For messages: in single quotes, on one line, at most 40 bytes of it.
std::string Quote(std::string_view text_untrusted);

// Whether `text` is a word that needs no quotes.
bool IsPlainWord(std::string_view text);

}  // namespace taskmon::query
