// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/expression_lexer.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace taskmon::query {
namespace {

constexpr size_t kLongestQuote = 40;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool IsWordByte(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view("_-./:@+%").find(c) != std::string_view::npos;
}

bool IsContinuationByte(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

struct SymbolSpec {
  std::string_view text;
  TokenKind kind;
};

// Longer ones first.
constexpr std::array<SymbolSpec, 14> kSymbols = {{
    {"==", TokenKind::kOperator},
    {"!=", TokenKind::kOperator},
    {"<=", TokenKind::kOperator},
    {">=", TokenKind::kOperator},
    {"=~", TokenKind::kOperator},
    {"!~", TokenKind::kOperator},
    {"&&", TokenKind::kAnd},
    {"||", TokenKind::kOr},
    {"<", TokenKind::kOperator},
    {">", TokenKind::kOperator},
    {"!", TokenKind::kNot},
    {"(", TokenKind::kLeftParen},
    {")", TokenKind::kRightParen},
    {",", TokenKind::kComma},
}};

std::string Unexpected(std::string_view rest) {
  switch (rest.front()) {
    case '=': return "'=' is no operator; expected '=='";
    case '&': return "'&' is no operator; expected '&&'";
    case '|': return "'|' is no operator; expected '||'";
    case '~': return "'~' is no operator; expected '=~' or '!~'";
    default: break;
  }
  size_t length = 1;
  while (length < rest.size() && IsContinuationByte(rest[length])) ++length;
  return fmt::format("unexpected character {}; text that is not a plain word needs double quotes",
                     Quote(rest.substr(0, length)));
}

}  // namespace

absl::Status ErrorAt(int column, const std::string& what) {
  return absl::InvalidArgumentError(fmt::format("column {}: {}", column, what));
}

std::string Escape(std::string_view text_untrusted) {
  std::string escaped;
  for (char c : text_untrusted) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      escaped += fmt::format("\\x{:02x}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Quote(std::string_view text_untrusted) {
  std::string quoted = "'" + Escape(text_untrusted.substr(0, kLongestQuote));
  // A cut must not leave half a character behind.
  if (text_untrusted.size() > kLongestQuote) {
    while (IsContinuationByte(quoted.back())) quoted.pop_back();
    if (static_cast<unsigned char>(quoted.back()) >= 0xc0) quoted.pop_back();
    quoted += "…";
  }
  return quoted + "'";
}

bool IsPlainWord(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsWordByte); }

void ExpressionLexer::Advance(size_t bytes) {
  for (const size_t end = at_ + bytes; at_ < end; ++at_) column_ += !IsContinuationByte(text_[at_]);
}

void ExpressionLexer::SkipBlanks() {
  while (at_ < text_.size() && IsBlank(text_[at_])) Advance(1);
}

absl::StatusOr<Token> ExpressionLexer::Next() {
  SkipBlanks();
  const size_t begin = at_;
  absl::StatusOr<Token> token = Read();
  if (token.ok()) {
    token->begin = begin;
    token->end = at_;
  }
  return token;
}

absl::StatusOr<Token> ExpressionLexer::Read() {
  if (at_ == text_.size()) return Token{TokenKind::kEnd, "", column_};
  if (text_[at_] == '"') return Quoted();
  if (!IsWordByte(text_[at_])) return Symbol();
  size_t length = 0;
  while (at_ + length < text_.size() && IsWordByte(text_[at_ + length])) ++length;
  Token token{TokenKind::kWord, std::string(text_.substr(at_, length)), column_};
  Advance(length);
  return token;
}

absl::StatusOr<Token> ExpressionLexer::Quoted() {
  Token token{TokenKind::kQuoted, "", column_};
  for (size_t i = at_ + 1; i < text_.size(); ++i) {
    if (text_[i] == '"') {
      Advance(i + 1 - at_);
      return token;
    }
    const bool escape = text_[i] == '\\' && i + 1 < text_.size() && (text_[i + 1] == '"' || text_[i + 1] == '\\');
    if (escape) ++i;
    token.text += text_[i];
  }
  return ErrorAt(column_, "this quote is never closed; expected '\"' at the end of the text");
}

absl::StatusOr<Token> ExpressionLexer::Symbol() {
  const std::string_view rest = text_.substr(at_);
  for (const SymbolSpec& symbol : kSymbols) {
    if (rest.substr(0, symbol.text.size()) != symbol.text) continue;
    Token token{symbol.kind, std::string(symbol.text), column_};
    Advance(symbol.text.size());
    return token;
  }
  return ErrorAt(column_, Unexpected(rest));
}

}  // namespace taskmon::query
