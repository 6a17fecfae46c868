// SPDX-License-Identifier: Apache-2.0
//
// How large an expression may be. Anyone may send a filter with a query; rules come from administrators, are few and
// may hold long lists of names, which cost nothing at evaluation because sets are hashed.
#pragma once

#include <cstddef>

namespace taskmon::query {

struct ExpressionLimits {
  size_t max_length = 4096;  // bytes
  int max_depth = 64;        // parentheses, "!" and "for" inside each other
  int max_terms = 512;       // tests, and members of sets
  int max_regexes = 64;
  size_t max_regex_length = 1024;
  int max_regex_program = 2000;  // RE2 instructions
  int max_memory_tests = 16;     // "for" and anomaly(); at most 32
};

inline constexpr ExpressionLimits kQueryLimits;
inline constexpr ExpressionLimits kRuleLimits{.max_length = 1 << 20, .max_terms = 32768};

}  // namespace taskmon::query
