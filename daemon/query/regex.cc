// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/regex.h"

#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

#include "daemon/query/expression_lexer.h"

namespace taskmon::query {
namespace {

constexpr int64_t kMemory = 512 << 10;  // program and DFA cache of one regex

}  // namespace

absl::StatusOr<std::unique_ptr<const re2::RE2>> CompileRegex(std::string_view pattern_untrusted,
                                                             const ExpressionLimits& limits) {
  if (pattern_untrusted.size() > limits.max_regex_length) {
    return absl::InvalidArgumentError(fmt::format("regular expression longer than {} bytes", limits.max_regex_length));
  }
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_max_mem(kMemory);
  options.set_never_capture(true);
  auto regex =
      std::make_unique<const re2::RE2>(re2::StringPiece(pattern_untrusted.data(), pattern_untrusted.size()), options);
  if (!regex->ok())
    return absl::InvalidArgumentError(fmt::format("bad regular expression: {}", Escape(regex->error())));
  if (regex->ProgramSize() > limits.max_regex_program) {
    return absl::InvalidArgumentError("regular expression too large; use fewer or smaller repetitions");
  }
  return regex;
}

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern_untrusted) {
  auto regex = CompileRegex(pattern_untrusted, kQueryLimits);
  if (!regex.ok()) return regex.status();
  return Regex(*std::move(regex));
}

Regex::Regex(std::unique_ptr<const re2::RE2> regex) : regex_(std::move(regex)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

bool Regex::Finds(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex_);
}

const std::string& Regex::pattern() const { return regex_->pattern(); }

}  // namespace taskmon::query
