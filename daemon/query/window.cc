// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/window.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/nearest.h"
#include "storage/tick_source.h"

namespace taskmon::query {
namespace {

const std::string& NameOf(const TaskInfo& info, GroupBy by) {
  static const std::string kNone;
  switch (by) {
    case GroupBy::kRule: return info.rules.empty() ? kNone : info.rules.front();  // the first that matched decides
    case GroupBy::kApp: return info.app;
    case GroupBy::kUnit: return info.unit;
    case GroupBy::kUser: return info.user;
    default: return info.comm;
  }
}

// Users without a name are told apart by number.
std::string KeyOf(const TaskInfo& info, const std::string& boot_id, GroupBy by) {
  if (by == GroupBy::kUser) return fmt::format("{} {:010}", info.user, info.uid);
  if (by != GroupBy::kTask) return NameOf(info, by);
  return fmt::format("{:010} {:020} {} {:010} {:020} {}", info.tgid, info.process_start_ns, info.key.thread ? 1 : 0,
                     info.key.tid, info.key.start_ns, info.boot_id.empty() ? boot_id : info.boot_id.str());
}

std::shared_ptr<const TaskInfo> GroupInfo(const TaskInfo& info, GroupBy by) {
  auto group = std::make_shared<TaskInfo>();
  group->tracked = false;
  switch (by) {
    case GroupBy::kApp: group->app = info.app; break;
    case GroupBy::kUnit: group->unit = info.unit; break;
    case GroupBy::kRule:
      if (!info.rules.empty()) group->rules = {info.rules.front()};
      break;
    case GroupBy::kUser: group->user = info.user, group->uid = info.uid; break;
    default: group->comm = info.comm;
  }
  return group;
}

// Of a process that waits to be reaped.
bool IsDead(const Row& row) {
  const TaskSample& sample = *row.sample;
  return !row.info().key.thread && sample.valid[WindowFolder::kReadsToo] &&
         sample.values[WindowFolder::kReadsToo] == 'Z';
}

bool IsSize(const MetricDesc& metric) {
  return metric.kind == v1::GAUGE && (metric.unit == v1::BYTES || metric.unit == v1::COUNT) &&
         metric.id != v1::TASK_FD_LIMIT && metric.id != v1::TASK_PEAK_PM_SIZE;
}

}  // namespace

absl::StatusOr<GroupBy> ParseGroupBy(std::string_view text_untrusted) {
  static const std::vector<std::string> kNames = {"task", "app", "unit", "user", "comm", "rule"};
  if (text_untrusted.empty()) return GroupBy::kTask;
  const auto at = std::find(kNames.begin(), kNames.end(), text_untrusted);
  if (at != kNames.end()) return static_cast<GroupBy>(at - kNames.begin());
  return absl::InvalidArgumentError(
      fmt::format("cannot group by '{}'; by app, unit, user, comm, rule or task", text_untrusted.substr(0, 40)));
}

WindowFolder::WindowFolder(const Plan& plan, const Caller& caller, GroupBy by, std::shared_ptr<MemoryBudget> bytes)
    : plan_(plan), caller_(caller), by_(by), bytes_(std::move(bytes)), cells_room_(bytes_), members_room_(bytes_) {
  const MetricSet needed = plan.needed();
  std::vector<v1::Metric> means;
  for (const MetricDesc& metric : AllMetrics()) {
    if (!needed[metric.id] || IsDerived(metric.id)) continue;
    const Way way = WayOf(metric);
    if (way == Way::kMean) means.push_back(metric.id);
    if (way == Way::kNone || way == Way::kMean) continue;
    if (way == Way::kCount) counters_.push_back(metrics_.size());
    metrics_.push_back(metric.id);
    ways_.push_back(way);
  }
  means_begin_ = metrics_.size();
  metrics_.insert(metrics_.end(), means.begin(), means.end());
  ways_.resize(metrics_.size(), Way::kMean);
}

WindowFolder::Way WindowFolder::WayOf(const MetricDesc& metric) const {
  if (metric.id == v1::TASK_PAGE_CACHE_HIT_PERCENT) return Way::kHits;
  if (metric.id == v1::TASK_OFFCPU_SINCE || metric.id == v1::TASK_IOWAIT_SINCE) return Way::kNone;
  if (metric.kind == v1::COUNTER) return Way::kCount;
  if (metric.kind == v1::WINDOW_MAX || metric.id == v1::TASK_PEAK_PM_SIZE || metric.unit == v1::BOOLEAN) {
    return Way::kLargest;
  }
  if (metric.witness_of != v1::METRIC_UNSPECIFIED) return Way::kWitness;
  if (IsSize(metric)) return Way::kMean;
  return by_ == GroupBy::kTask ? Way::kLast : Way::kNone;
}

// With the row that is made of it, which has a value of each metric and an increase of each counter at most, and with
// names that no other task has.
int64_t WindowFolder::BytesOfCell() const {
  constexpr size_t kNodeAndKey = 256;
  const size_t numbers = 2 * metrics_.size() + counters_.size();
  return static_cast<int64_t>(kNodeAndKey + sizeof(Cell) + metrics_.size() + sizeof(WindowRow) + sizeof(TaskSample) +
                              sizeof(TaskInfo) + numbers * sizeof(int64_t));
}

int64_t WindowFolder::BytesOfMember() const {
  constexpr size_t kNode = 64;
  return static_cast<int64_t>(kNode + sizeof(Member) + counters_.size() * sizeof(int64_t) +
                              (metrics_.size() - means_begin_) * sizeof(Mean));
}

absl::StatusOr<WindowFolder::Member*> WindowFolder::MemberOf(const TaskKey& key) {
  const auto [at, is_new] = members_.try_emplace(key);
  if (!is_new || members_room_.Take(BytesOfMember())) return &at->second;
  members_.erase(at);
  return NoRoom();
}

absl::StatusOr<WindowFolder::Cell*> WindowFolder::CellOf(const Row& row) {
  const auto [at, is_new] = cells_.try_emplace(KeyOf(row.info(), boot_id_, by_));
  Cell* cell = &at->second;
  if (is_new) {
    if (cells_.size() > kMaxRows) {
      return absl::ResourceExhaustedError(
          fmt::format("more than {} tasks were there; choose a shorter time, an expression or --by", kMaxRows));
    }
    if (!cells_room_.Take(BytesOfCell())) return NoRoom();
    cell->values.resize(means_begin_);
    cell->sums.resize(metrics_.size() - means_begin_);
    cell->known.resize(metrics_.size());
    if (by_ != GroupBy::kTask) cell->info = GroupInfo(row.info(), by_);
  }
  if (by_ == GroupBy::kTask) cell->info = row.sample->info;  // its latest names
  cell->guarded_visible &= row.guarded_visible;
  cell->cmdline_visible &= row.cmdline_visible;
  return cell;
}

void WindowFolder::AddWitnesses(const Row& row, v1::Metric maximum, Cell* cell) const {
  for (size_t i = 0; i < metrics_.size(); ++i) {
    if (Describe(metrics_[i]).witness_of != maximum) continue;
    const std::optional<int64_t> value = ResolveValue(row, metrics_[i]);
    cell->known[i] = value.has_value();
    cell->values[i] = value.value_or(0);
  }
}

void WindowFolder::Enter(Cell* cell, Member* member) const {
  if (member->cell == cell) return;
  Settle(member);
  member->cell = cell;
  ++cell->tasks;
}

void WindowFolder::Add(const Row& row, Cell* cell) const {
  for (size_t i = 0; i < means_begin_; ++i) {
    if (ways_[i] == Way::kWitness) continue;  // comes with its maximum
    const std::optional<int64_t> value =
        ways_[i] == Way::kCount ? ResolveIncrease(row, metrics_[i]) : ResolveValue(row, metrics_[i]);
    if (!value) continue;
    const bool first = !std::exchange(cell->known[i], true);
    switch (ways_[i]) {
      case Way::kCount: cell->values[i] += *value; break;
      case Way::kLargest:
        if (!first && *value <= cell->values[i]) break;
        cell->values[i] = *value;
        AddWitnesses(row, metrics_[i], cell);
        break;
      case Way::kHits: {
        const double lookups = std::max(1.0, static_cast<double>(row.sample->deltas[v1::TASK_PAGE_CACHE_LOOKUP_COUNT]));
        cell->lookups += lookups;
        cell->hits += lookups * static_cast<double>(*value);
        break;
      }
      default: cell->values[i] = *value;
    }
  }
}

void WindowFolder::AddToMeans(const Row& row, Member* member) const {
  const double ns = static_cast<double>(std::max<uint64_t>(row.snapshot->tick.elapsed_ns, 1));
  member->present_ns += ns;
  member->means.resize(metrics_.size() - means_begin_);
  for (size_t m = 0; m < member->means.size(); ++m) {
    const std::optional<int64_t> value = ResolveValue(row, metrics_[means_begin_ + m]);
    if (!value) continue;
    member->means[m].sum += static_cast<double>(*value) * ns;
    member->means[m].known_ns += ns;
  }
}

// Some values come later than their task, and are not 0 before: where one is not known it is taken to be as it is on
// the whole.
void WindowFolder::Settle(Member* member) const {
  Cell* const cell = member->cell;
  if (cell == nullptr) return;
  cell->present_ns += member->present_ns;
  for (size_t m = 0; m < member->means.size(); ++m) {
    const Mean& mean = member->means[m];
    if (mean.known_ns == 0) continue;
    cell->known[means_begin_ + m] = true;
    cell->sums[m] += mean.sum / mean.known_ns * member->present_ns;
  }
  member->cell = nullptr;
  member->means.clear();
  member->present_ns = 0;
}

void WindowFolder::Forget(Members::iterator member) {
  Settle(&member->second);
  members_.erase(member);
  members_room_.Return(BytesOfMember());
}

void WindowFolder::Remember(const Row& row, Member* member) const {
  member->seen = tick_number_;
  member->lived = true;
  member->left_out = false;
  // An idle task has counted nothing but the wait it is in.
  const bool all = !row.idle() || member->totals.empty();
  member->totals.resize(counters_.size());
  for (size_t c = 0; c < counters_.size(); ++c) {
    if (!all && !ChangesWhileIdle(metrics_[counters_[c]])) continue;
    member->totals[c] = ResolveValue(row, metrics_[counters_[c]]).value_or(0);
  }
}

// A dead row has the totals of its end already, which is told after it: there the part is added that no row has.
void WindowFolder::CountDead(const Row& row, Member* member) const {
  member->seen = tick_number_;
  member->totals.resize(counters_.size());
  for (size_t c = 0; c < counters_.size(); ++c) {
    const int64_t increase = ResolveIncrease(row, metrics_[counters_[c]]).value_or(0);
    member->totals[c] += increase;
    member->lived |= increase != 0;
  }
}

// Still known: the end of somebody unknown would count in full.
void WindowFolder::LeaveOut(const TaskKey& key) {
  const auto member = members_.find(key);
  if (member == members_.end() || !member->second.lived) return;
  member->second.seen = tick_number_;
  member->second.left_out = true;
  member->second.totals.clear();
}

absl::Status WindowFolder::Seed(const Snapshot& before) {
  boot_id_ = before.boot_id;
  begin_boot_ns_ = before.tick.boot_ns;
  if (plan_.expression().needs_memory()) return absl::OkStatus();
  for (size_t i = 0; i < before.tasks.size(); ++i) {
    if (!plan_.Includes(before, i)) continue;
    const Row row = MakeRow(before, *before.tasks[i], caller_);
    if (!plan_.expression().Matches(row)) continue;
    absl::StatusOr<Member*> member = MemberOf(row.info().key);
    if (!member.ok()) return member.status();
    Remember(row, *member);
  }
  return absl::OkStatus();
}

absl::Status WindowFolder::AddTick(const Snapshot& snapshot, TestMemory* memory) {
  if (snapshot.boot_id != boot_id_) {
    while (!members_.empty()) Forget(members_.begin());
  }
  if (begin_boot_ns_ == 0 || snapshot.boot_id != boot_id_) {
    begin_boot_ns_ = snapshot.tick.boot_ns - std::min(snapshot.tick.boot_ns, snapshot.tick.elapsed_ns);
  }
  boot_id_ = snapshot.boot_id;
  ++tick_number_;
  if (++ticks_ == 1) first_tick_ = tick_number_;
  for (size_t i = 0; i < snapshot.tasks.size(); ++i) {
    if (!plan_.Includes(snapshot, i)) {
      const auto member = members_.find(snapshot.tasks[i]->info->key);
      if (member != members_.end()) Forget(member);  // its threads have rows now
      continue;
    }
    const Row row = MakeRow(snapshot, *snapshot.tasks[i], caller_);
    if (!plan_.expression().Matches(row, memory)) {
      LeaveOut(row.info().key);
      continue;
    }
    absl::StatusOr<Cell*> cell = CellOf(row);
    if (!cell.ok()) return cell.status();
    absl::StatusOr<Member*> member = MemberOf(row.info().key);
    if (!member.ok()) return member.status();
    Enter(*cell, *member);
    Add(row, *cell);
    AddToMeans(row, *member);
    IsDead(row) ? CountDead(row, *member) : Remember(row, *member);
  }
  last_ = snapshot.tick;
  memory_total_bytes_ = snapshot.memory_total_bytes;
  elapsed_ns_ += snapshot.tick.elapsed_ns;
  return absl::OkStatus();
}

// Whether an end is that of a row as the plan has them. Among threads a process stands for its threads while these have
// no rows; of one that nobody saw it stands for its only one, or each thread ends by itself.
bool WindowFolder::HasRowOfItsOwn(const Event& end) const {
  const TaskInfo& info = *end.task;
  if (!plan_.threads()) return !info.key.thread && info.key.tid == info.tgid;
  const bool stands = members_.contains({info.process_start_ns, info.tgid, false});
  if (info.key.thread || stands) return info.key.thread != stands;
  const TaskSample& final = *end.final_sample;
  return final.valid[v1::TASK_THREAD_CREATE_COUNT] && final.values[v1::TASK_THREAD_CREATE_COUNT] == 0;
}

// What no row told of it.
void WindowFolder::CountEnd(const TaskSample& sample, const Member* member, Cell* cell) const {
  if (member != nullptr && member->left_out) return;
  for (size_t c = 0; c < counters_.size(); ++c) {
    const size_t i = counters_[c];
    if (!sample.valid[metrics_[i]]) continue;
    const int64_t before = member != nullptr ? member->totals[c] : 0;
    cell->values[i] += std::max<int64_t>(0, sample.values[metrics_[i]] - before);
    cell->known[i] = true;
  }
}

absl::Status WindowFolder::AddEnd(const Event& event) {
  if (event.type != EventType::kExit || event.task == nullptr || event.final_sample == nullptr) return absl::OkStatus();
  const TaskInfo& info = *event.task;
  if (!HasRowOfItsOwn(event)) return absl::OkStatus();
  if (plan_.tid() != 0 && plan_.tid() != info.key.tid) return absl::OkStatus();
  TaskSample sample = *event.final_sample;
  sample.info = event.task;
  sample.deltas = sample.values;
  sample.valid.reset(v1::TASK_OFFCPU_SINCE).reset(v1::TASK_IOWAIT_SINCE);
  Snapshot moment;
  moment.tick = {sample.tick_seq, event.wall_ns, event.boot_ns, event.duration_ns, 0};
  moment.boot_id = boot_id_;
  const Row row = MakeRow(moment, sample, caller_);
  const auto member = members_.find(info.key);
  const bool known = member != members_.end() && member->second.lived;
  if (!known) {
    // It was there before and did not match, or nobody knows what it had counted by then.
    if (event.boot_ns - std::min(event.boot_ns, event.duration_ns) < begin_boot_ns_) return absl::OkStatus();
    if (plan_.expression().needs_memory() || !plan_.expression().Matches(row)) return absl::OkStatus();
  }
  Cell* cell = member != members_.end() ? member->second.cell : nullptr;
  if (cell == nullptr && !(known && member->second.left_out)) {
    absl::StatusOr<Cell*> found = CellOf(row);
    if (!found.ok()) return found.status();
    cell = *found;
    ++cell->tasks;
  }
  if (cell != nullptr) {
    // It may have ended as somebody else than it was at the last tick.
    cell->guarded_visible &= row.guarded_visible;
    cell->cmdline_visible &= row.cmdline_visible;
    cell->ended_wall_ns = event.wall_ns;
    CountEnd(sample, known ? &member->second : nullptr, cell);
  }
  if (member != members_.end()) Forget(member);
  return absl::OkStatus();
}

WindowRow WindowFolder::MakeWindowRow(Cell* cell, const Snapshot& moment) const {
  auto sample = std::make_shared<TaskSample>();
  sample->info = cell->info;
  sample->tick_seq = moment.tick.seq;
  const bool group = by_ != GroupBy::kTask;
  const bool over = !group && cell->ended_wall_ns != 0;
  const double whole_ns = !group ? cell->present_ns : static_cast<double>(std::max<uint64_t>(elapsed_ns_, 1));
  for (size_t i = 0; i < metrics_.size(); ++i) {
    const v1::Metric metric = metrics_[i];
    const bool ended_state = over && metric == v1::TASK_STATE;
    if (cell->known[i] == 0 && !ended_state) continue;
    sample->valid.set(metric);
    int64_t value = 0;
    switch (ways_[i]) {
      case Way::kMean: value = std::llround(cell->sums[i - means_begin_] / std::max(whole_ns, 1.0)); break;
      case Way::kHits: value = std::llround(cell->hits / std::max(cell->lookups, 1.0)); break;
      default: value = cell->values[i];
    }
    if (ended_state) value = 'X';
    sample->values.Set(metric, value);
    if (ways_[i] == Way::kCount) sample->deltas.Set(metric, value);
  }
  return {.sample = std::move(sample),
          .guarded_visible = cell->guarded_visible,
          .cmdline_visible = cell->cmdline_visible,
          .ended_wall_ns = group ? 0 : cell->ended_wall_ns,
          .tasks = group ? std::max<uint32_t>(cell->tasks, 1) : 0};
}

WindowResult WindowFolder::Take() {
  WindowResult result;
  result.moment.tick = last_;
  result.moment.tick.elapsed_ns = elapsed_ns_;
  result.moment.boot_id = boot_id_;
  result.moment.memory_total_bytes = memory_total_bytes_;
  for (auto& [key, member] : members_) Settle(&member);
  for (auto& [key, cell] : cells_) result.rows.push_back(MakeWindowRow(&cell, result.moment));
  cells_.clear();
  result.room = cells_room_.Split();
  // Ends are told a tick late at most.
  const size_t gone = std::erase_if(members_, [&](const auto& each) { return each.second.seen + 2 < first_tick_; });
  members_room_.Return(static_cast<int64_t>(gone) * BytesOfMember());
  ticks_ = 0;
  elapsed_ns_ = 0;
  return result;
}

}  // namespace taskmon::query
