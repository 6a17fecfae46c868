// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/nearest.h"

#include <algorithm>
#include <cstdlib>

namespace taskmon::query {
namespace {

constexpr size_t kLongestWord = 64;  // nothing we know is longer; bounds the work on hostile input

int Reach(size_t length) { return length <= 3 ? 1 : length <= 7 ? 2 : 3; }

}  // namespace

int EditDistance(std::string_view a, std::string_view b, int limit) {
  const int n = static_cast<int>(a.size());
  const int m = static_cast<int>(b.size());
  if (std::abs(n - m) > limit) return limit + 1;
  std::vector<int> before_last(m + 1);
  std::vector<int> last(m + 1);
  std::vector<int> row(m + 1);
  for (int j = 0; j <= m; ++j) last[j] = j;
  for (int i = 1; i <= n; ++i) {
    row[0] = i;
    for (int j = 1; j <= m; ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return std::min(last[m], limit + 1);
}

std::optional<std::string> Nearest(std::string_view word_untrusted, const std::vector<std::string>& candidates) {
  if (word_untrusted.empty() || word_untrusted.size() > kLongestWord) return std::nullopt;
  int best = Reach(word_untrusted.size()) + 1;
  const std::string* nearest = nullptr;
  for (const std::string& candidate : candidates) {
    const int distance = EditDistance(word_untrusted, candidate, best - 1);
    if (distance >= best) continue;
    best = distance;
    nearest = &candidate;
  }
  return nearest == nullptr ? std::nullopt : std::optional<std::string>(*nearest);
}

std::string DidYouMean(std::string_view word_untrusted, const std::vector<std::string>& candidates) {
  const std::optional<std::string> nearest = Nearest(word_untrusted, candidates);
  return nearest ? "; did you mean '" + *nearest + "'?" : "";
}

}  // namespace taskmon::query
