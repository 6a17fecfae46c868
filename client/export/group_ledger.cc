// SPDX-License-Identifier: Apache-2.0
#include "client/export/group_ledger.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "client/export/metric_family.h"
#include "client/group_name.h"

namespace taskmon::client {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;
constexpr double kHalfLifeNs = 300e9;
// A newcomer must matter so much more than whom it pushes out, so that series do not come and go.
constexpr double kClearlyMore = 2;

double Present(const TaskRow& row, v1::Metric metric) {
  const MetricCell cell = row.Get(metric);
  return cell.presence == Presence::kPresent ? static_cast<double>(cell.value) : 0;
}

}  // namespace

std::string GroupLedger::NameOf(const TaskRow& row) const {
  const std::string name = GroupNameOf(*row.info, by_);
  return name.empty() ? kNoGroup : name;
}

// A group that is really called "other" is in "other".
GroupLedger::Account& GroupLedger::AccountOf(const TaskRow& row) {
  const auto at = named_.find(NameOf(row));
  return at == named_.end() ? other_ : at->second;
}

void GroupLedger::ChooseNamed(const std::vector<TaskRow>& rows, uint64_t elapsed_ns) {
  const double elapsed = static_cast<double>(std::max<uint64_t>(elapsed_ns, 1));
  const double kept = std::exp2(-elapsed / kHalfLifeNs);
  for (auto& [name, account] : named_) account.weight *= kept;
  double memory = 1;
  for (const TaskRow& row : rows) memory += Present(row, v1::TASK_PM_SIZE);
  std::vector<std::pair<double, std::string>> newcomers;
  for (const TaskRow& row : rows) {
    const double weight = Present(row, v1::TASK_RUNTIME_NS) / elapsed + Present(row, v1::TASK_PM_SIZE) / memory;
    const std::string name = NameOf(row);
    const auto at = named_.find(name);
    if (at != named_.end()) {
      at->second.weight += weight * (1 - kept);
    } else if (name != kOtherGroup) {
      newcomers.emplace_back(weight * (1 - kept), name);
    }
  }
  std::sort(newcomers.begin(), newcomers.end(), std::greater<>());
  for (const auto& [weight, name] : newcomers) {
    if (named_.size() >= top_) {
      const auto least = std::min_element(
          named_.begin(), named_.end(), [](const auto& a, const auto& b) { return a.second.weight < b.second.weight; });
      if (least == named_.end() || weight <= least->second.weight * kClearlyMore) return;
      named_.erase(least);
    }
    named_[name].weight = weight;
  }
}

void GroupLedger::TurnMinute(int64_t end_time_ns) {
  if (end_time_ns - minute_began_ns_ < kMinuteNs) return;
  minute_began_ns_ = end_time_ns;
  const auto turn = [](Account* account) {
    account->older = std::move(account->maxima);
    account->maxima = Known();
  };
  for (auto& [name, account] : named_) turn(&account);
  turn(&other_);
}

void GroupLedger::Credit(const TaskRow& row, Account* account) {
  for (const MetricDesc& metric : AllMetrics()) {
    if (!IsExported(metric) || metric.kind == v1::GAUGE) continue;
    const MetricCell cell = row.Get(metric.id);
    Known& known = metric.kind == v1::COUNTER ? account->counters : account->maxima;
    if (cell.presence == Presence::kRedacted) known.redacted.set(metric.id);
    if (cell.presence != Presence::kPresent) continue;
    known.known.set(metric.id);
    int64_t& value = known.values[metric.id];
    value = metric.kind == v1::COUNTER ? value + std::max<int64_t>(cell.value, 0) : std::max(value, cell.value);
  }
}

void GroupLedger::AddWindow(const std::vector<TaskRow>& rows, int64_t end_time_ns, uint64_t elapsed_ns) {
  TurnMinute(end_time_ns);
  ChooseNamed(rows, elapsed_ns);
  std::set<Account*> told;
  for (const TaskRow& row : rows) {
    Account& account = AccountOf(row);
    // What this window knows takes the place of what the one before knew.
    if (told.insert(&account).second) account.counters.known.reset(), account.counters.redacted.reset();
    Credit(row, &account);
  }
}

void GroupLedger::SetMoment(const std::vector<TaskRow>& rows) {
  const auto forget = [](Account* account) {
    account->gauges = Known();
    account->tasks = 0;
  };
  for (auto& [name, account] : named_) forget(&account);
  forget(&other_);
  for (const TaskRow& row : rows) {
    Account& account = AccountOf(row);
    account.tasks += std::max<uint32_t>(row.sample->group_tasks(), 1);
    for (const MetricDesc& metric : AllMetrics()) {
      if (!IsExported(metric) || metric.kind != v1::GAUGE) continue;
      const MetricCell cell = row.Get(metric.id);
      if (cell.presence == Presence::kRedacted) account.gauges.redacted.set(metric.id);
      if (cell.presence != Presence::kPresent) continue;
      account.gauges.known.set(metric.id);
      account.gauges.values[metric.id] += cell.value;
    }
  }
}

std::vector<GroupLedger::Series> GroupLedger::AllSeries() const {
  std::vector<Series> series;
  for (const auto& [name, account] : named_) series.push_back({.group = name, .tasks = account.tasks});
  series.push_back({.group = kOtherGroup, .tasks = other_.tasks});
  return series;
}

std::optional<int64_t> GroupLedger::Value(const std::string& group, const MetricDesc& metric) const {
  const auto at = named_.find(group);
  const Account& account = at == named_.end() ? other_ : at->second;
  const auto read = [&](const Known& known) -> std::optional<int64_t> {
    if (known.redacted[metric.id] || !known.known[metric.id]) return std::nullopt;
    return known.values[metric.id];
  };
  if (metric.kind == v1::COUNTER) return read(account.counters);
  if (metric.kind == v1::GAUGE) return read(account.gauges);
  const std::optional<int64_t> now = read(account.maxima);
  const std::optional<int64_t> before = read(account.older);
  return now && before ? std::max(*now, *before) : now ? now : before;
}

}  // namespace taskmon::client
