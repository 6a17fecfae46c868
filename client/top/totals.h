// SPDX-License-Identifier: Apache-2.0
//
// What all tasks did together at one tick, for the graphs at the top and the time bar; and what happened that is worth
// a mark on the bar. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/top/frame.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client::top {

enum class Total { kCpu, kMemory, kDisk, kNet, kRunq, kForks };
inline constexpr size_t kTotals = 6;

struct TotalsPoint {
  int64_t time_ns = 0;
  int64_t elapsed_ns = 0;
  std::array<double, kTotals> values{};  // NaN: not known
  std::array<bool, kTotals> partial{};   // without values that this user may not see

  double get(Total total) const { return values[static_cast<size_t>(total)]; }
};

TotalsPoint TotalsOf(const Frame& frame);
TotalsPoint TotalsOf(const v1::Totals& totals, const v1::TotalsPoint& point);
// The metrics that totals are made from.
const std::vector<v1::Metric>& TotalsMetrics();

std::string_view TotalName(Total total);           // "CPU"
std::string TotalText(Total total, double value);  // "137%", "1.2G/s"

struct Mark {
  enum class Kind { kGap, kDegraded, kAnomaly, kOom };  // in the order of their weight
  Kind kind = Kind::kGap;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  std::string text;

  bool operator==(const Mark&) const = default;
};

// nullopt: nothing that the bar marks.
std::optional<Mark> MarkOf(const v1::Event& event);
const std::vector<v1::EventType>& MarkTypes();

}  // namespace taskmon::client::top
