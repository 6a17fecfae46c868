// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_trial.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/query/test_memory.h"
#include "daemon/query/time_spec.h"

namespace taskmon::daemon {
namespace {

constexpr size_t kMostExamples = 20;
constexpr size_t kMostTasks = 1'000'000;  // told apart
constexpr double kDayNs = 86400e9;
// Before the first chunk is closed there is more of tables and of open ticks than of what stays.
constexpr double kLeastStoredNs = 300e9;

struct Match {
  std::shared_ptr<const TaskInfo> info;
  uint64_t ticks = 0;
  int64_t first_wall_ns = 0;
  int64_t last_wall_ns = 0;
};

class Trial {
 public:
  Trial(const query::Expression& expression, const TrialOptions& options)
      : options_(options), memory_(expression, {.budget = options.budgets.tests}), room_(options.budgets.bytes) {}

  absl::Status Take(const Snapshot& snapshot) {
    // Ticks before the range only teach the memory.
    const bool counts = snapshot.tick.wall_ns >= options_.range.begin_wall_ns;
    if (counts) ++ticks_;
    for (const auto& sample : snapshot.tasks) {
      const query::Row row = query::MakeRow(snapshot, *sample, options_.caller);
      const bool matches = memory_.Evaluate(row) == query::Truth::kTrue;
      if (!counts) continue;
      rows_seen_ += !row.idle();
      if (!See(sample->info->key) || (matches && !Note(row))) return query::NoRoom();
    }
    if (counts) boot_id_ = snapshot.boot_id;
    return absl::OkStatus();
  }

  v1::RuleTrial Finish(const storage::TimeRange& stored) const {
    v1::RuleTrial out;
    out.set_begin_ns(std::max(options_.range.begin_wall_ns, stored.begin_wall_ns));
    out.set_end_ns(std::min(options_.range.end_wall_ns, stored.end_wall_ns));
    out.set_ticks(ticks_);
    out.set_tasks(matched_.size());
    out.set_tasks_seen(seen_.size());
    out.set_rows(rows_);
    AddCost(stored, &out);
    AddExamples(&out);
    if (memory_.turned_away() != 0) out.add_remarks("too many tasks at once to remember the past of all");
    return out;
  }

  // When the last row matched; 0: none did.
  int64_t last_match_wall_ns() const { return last_match_wall_ns_; }
  bool Matched(const TaskKey& key) const { return matched_.contains(key); }

 private:
  // False here and below: no room.
  bool See(const TaskKey& key) {
    constexpr int64_t kBytes = 64;
    return seen_.size() >= kMostTasks || !seen_.insert(key).second || room_.Take(kBytes);
  }

  bool Note(const query::Row& row) {
    constexpr int64_t kBytes = 64 + sizeof(Match) + sizeof(TaskInfo);
    ++rows_;
    active_rows_ += !row.idle();
    last_match_wall_ns_ = row.snapshot->tick.wall_ns;
    if (matched_.size() >= kMostTasks && !matched_.contains(row.info().key)) return true;
    const auto [at, is_new] = matched_.try_emplace(row.info().key);
    if (is_new && !room_.Take(kBytes)) return false;
    Match& match = at->second;
    match.info = row.sample->info;
    if (match.ticks++ == 0) match.first_wall_ns = last_match_wall_ns_;
    match.last_wall_ns = last_match_wall_ns_;
    return true;
  }

  // An idle row costs nothing: the history's size is shared among the rows that had news.
  void AddCost(const storage::TimeRange& stored, v1::RuleTrial* out) const {
    const double stored_ns = static_cast<double>(stored.end_wall_ns - stored.begin_wall_ns);
    const double looked_ns = static_cast<double>(out->end_ns() - out->begin_ns());
    if (rows_seen_ == 0 || looked_ns <= 0) return;
    if (stored_ns < kLeastStoredNs) {
      out->add_remarks("the history is too young to tell what a day takes: five minutes are needed");
      return;
    }
    const double bytes = static_cast<double>(options_.ring_bytes) * looked_ns / stored_ns;
    const double share = static_cast<double>(active_rows_) / static_cast<double>(rows_seen_);
    out->set_bytes_per_day(bytes * share * kDayNs / looked_ns);
  }

  void AddExamples(v1::RuleTrial* out) const {
    std::vector<const Match*> longest;
    for (const auto& [key, match] : matched_) longest.push_back(&match);
    const size_t count = std::min(kMostExamples, longest.size());
    std::partial_sort(longest.begin(), longest.begin() + static_cast<ptrdiff_t>(count), longest.end(),
                      [](const Match* a, const Match* b) { return a->ticks > b->ticks; });
    for (size_t i = 0; i < count; ++i) {
      v1::TriedTask* example = out->add_examples();
      TaskSample sample;
      sample.info = longest[i]->info;
      const Snapshot nothing;
      const query::Row row = query::MakeRow(nothing, sample, options_.caller);
      query::EncodeTaskInfo(*sample.info, boot_id_, row.names_visible(), example->mutable_task());
      example->set_ticks(longest[i]->ticks);
      example->set_first_time_ns(longest[i]->first_wall_ns);
      example->set_last_time_ns(longest[i]->last_wall_ns);
    }
  }

  const TrialOptions& options_;
  query::TestMemory memory_;
  query::BudgetShare room_;
  std::map<TaskKey, Match> matched_;
  std::unordered_set<TaskKey, TaskKeyHash> seen_;
  uint64_t ticks_ = 0;
  uint64_t rows_ = 0;
  uint64_t active_rows_ = 0;
  uint64_t rows_seen_ = 0;  // with news
  int64_t last_match_wall_ns_ = 0;
  std::string boot_id_;
};

// The metrics that matching rows have, as far as the caller may see them, by those of the last tick at which any did.
absl::Status AddMetrics(const Trial& trial, const query::Caller& caller, storage::RingReader* reader,
                        v1::RuleTrial* out) {
  if (trial.last_match_wall_ns() == 0) return absl::OkStatus();
  const auto snapshot = reader->At(trial.last_match_wall_ns());
  if (!snapshot.ok()) return absl::IsOutOfRange(snapshot.status()) ? absl::OkStatus() : snapshot.status();
  MetricSet metrics;
  for (const auto& sample : (*snapshot)->tasks) {
    if (sample->info->key.thread || !trial.Matched(sample->info->key)) continue;
    const query::Row row = query::MakeRow(**snapshot, *sample, caller);
    for (const MetricDesc& metric : AllMetrics()) {
      if (!query::IsRedacted(row, metric.id) && query::ResolveValue(row, metric.id)) metrics.set(metric.id);
    }
  }
  for (const MetricDesc& metric : AllMetrics()) {
    if (metrics.test(metric.id)) out->add_metrics(metric.id);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::RuleTrial> TryRule(const query::Expression& expression, TrialOptions options,
                                      storage::RingReader* reader) {
  const auto stored = reader->Range();
  if (!stored.ok()) return stored.status();
  const int64_t learns_from = options.range.begin_wall_ns - static_cast<int64_t>(expression.look_back_ns());
  Trial trial(expression, options);
  storage::ScanFilter filter;
  filter.thread = false;
  filter.metrics = query::WithSources(expression.metrics());
  absl::Status status;
  const absl::Status scanned =
      reader->Scan(learns_from, options.range.end_wall_ns, filter, [&](const Snapshot& snapshot) {
        status = options.go_on.Ask();
        if (status.ok()) status = trial.Take(snapshot);
        return status.ok();
      });
  if (!scanned.ok()) return scanned;
  if (!status.ok()) return status;
  v1::RuleTrial out = trial.Finish(**stored);
  if (expression.look_back_ns() != 0 && learns_from < (*stored)->begin_wall_ns) {
    out.add_remarks(fmt::format("'for' and anomaly() know nothing of what was before {}",
                                query::FormatLocal((*stored)->begin_wall_ns)));
  }
  if (absl::Status added = AddMetrics(trial, options.caller, reader, &out); !added.ok()) return added;
  return out;
}

}  // namespace taskmon::daemon
