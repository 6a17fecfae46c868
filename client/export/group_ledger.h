// SPDX-License-Identifier: Apache-2.0
//
// The books of the exporter: what each group of tasks has counted, in a bounded number of series. Pure: rows of windows
// and moments in, values out. Belongs to one thread at a time.
//
// At most `top` groups have a name at a time, the busiest; all others are in "other". What a window tells of a group is
// credited to whoever stands for it then, once and for good. So every series only grows while it is there, a group that
// gets a name begins at 0 (a counter reset), one that loses it goes on inside "other", and "other" never falls.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/fields.h"
#include "client/task_row.h"
#include "proto/catalogue.h"

namespace taskmon::client {

inline constexpr char kOtherGroup[] = "other";
inline constexpr char kNoGroup[] = "none";  // of tasks that have no app, unit, …

class GroupLedger {
 public:
  GroupLedger(Attribute by, size_t top) : by_(by), top_(top) {}

  // What happened since the window before: one row for each group, with its counters and maxima.
  void AddWindow(const std::vector<TaskRow>& rows, int64_t end_time_ns, uint64_t elapsed_ns);
  // How things are: one row for each group, with sizes and numbers. Takes the place of the moment before.
  void SetMoment(const std::vector<TaskRow>& rows);

  struct Series {
    std::string group;
    uint32_t tasks = 0;
  };
  // Named groups by name, then "other".
  std::vector<Series> AllSeries() const;
  // The held value of a series; nullopt: not known, not available now, or hidden from whoever asks for the exporter.
  std::optional<int64_t> Value(const std::string& group, const MetricDesc& metric) const;

 private:
  using Values = std::vector<int64_t>;
  struct Known {
    Values values = Values(v1::Metric_MAX + 1);
    MetricBits known;
    MetricBits redacted;
  };
  struct Account {
    Known counters;       // bits: of the newest window
    Known maxima, older;  // of the running minute, and of the one before
    Known gauges;
    uint32_t tasks = 0;
    double weight = 0;  // how much it matters lately
  };

  std::string NameOf(const TaskRow& row) const;
  Account& AccountOf(const TaskRow& row);
  void ChooseNamed(const std::vector<TaskRow>& rows, uint64_t elapsed_ns);
  void TurnMinute(int64_t end_time_ns);
  static void Credit(const TaskRow& row, Account* account);

  const Attribute by_;
  const size_t top_;
  std::map<std::string, Account> named_;
  Account other_;
  int64_t minute_began_ns_ = 0;
};

}  // namespace taskmon::client
