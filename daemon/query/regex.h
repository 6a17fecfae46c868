// SPDX-License-Identifier: Apache-2.0
//
// A regular expression of limited size (RE2: time linear in the text, whatever the pattern). Bytes, not characters, so
// that a name that is not UTF-8 cannot slip past a pattern. Immutable, safe from every thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "daemon/query/expression_limits.h"

namespace re2 {
class RE2;
}

namespace taskmon::query {

// InvalidArgument: not a regular expression, or beyond a limit; says which.
absl::StatusOr<std::unique_ptr<const re2::RE2>> CompileRegex(std::string_view pattern_untrusted,
                                                             const ExpressionLimits& limits);

class Regex {
 public:
  // As CompileRegex, with the limits of queries.
  static absl::StatusOr<Regex> Compile(std::string_view pattern_untrusted);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // Anywhere in the text, as grep does.
  bool Finds(std::string_view text) const;
  const std::string& pattern() const;

 private:
  explicit Regex(std::unique_ptr<const re2::RE2> regex);

  std::unique_ptr<const re2::RE2> regex_;
};

}  // namespace taskmon::query
