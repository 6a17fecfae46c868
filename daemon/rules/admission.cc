// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/admission.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "proto/catalogue.h"

namespace taskmon::rules {
namespace {

using query::Truth;

// Whether the task is still who it was: what it has from its parent stays.
bool ChangesNothing(Occasion occasion) {
  return occasion == Occasion::kBorn || occasion == Occasion::kNames || occasion == Occasion::kConnection;
}

// Whether metrics brought, or could bring, it under its rule.
bool IsWatched(const Standing& standing) {
  return std::binary_search(standing.watched.begin(), standing.watched.end(), standing.place);
}

void SetFlag(v1::Metric metric, std::optional<bool> value, TaskSample* sample) {
  sample->valid.set(metric, value.has_value());
  sample->values.Set(metric, value.value_or(false));
}

std::string CrossingText(const query::Crossing& crossing) {
  if (crossing.metric == v1::METRIC_UNSPECIFIED || !crossing.value) return "";
  return fmt::format("{} {:.6g}, {} {:.6g}", Describe(crossing.metric).short_name, *crossing.value,
                     crossing.begins ? "beyond" : "back within", crossing.baseline);
}

}  // namespace

std::string_view OccasionText(Occasion occasion) {
  switch (occasion) {
    case Occasion::kStart: return "start";
    case Occasion::kBorn: return "born";
    case Occasion::kExec: return "exec";
    case Occasion::kRename: return "rename";
    case Occasion::kOwner: return "owner";
    case Occasion::kCgroup: return "cgroup";
    case Occasion::kNames: return "names read";
    case Occasion::kConnection: return "connection";
    case Occasion::kThreshold: return "threshold";
    case Occasion::kHoldOver: return "hold over";
    case Occasion::kRules: return "rules edited";
  }
  return "";
}

void Admission::SetRules(std::shared_ptr<const RuleSet> rules) {
  RuleIndex index(*rules);
  // A rule that was not touched keeps what it remembers.
  std::unordered_map<const CheckedRule*, Watch*> remembered;
  for (Watch& watch : watches_) remembered[index_.enabled()[watch.place].get()] = &watch;
  std::vector<Watch> watches;
  for (uint32_t place = 0; place < index.enabled().size(); ++place) {
    if (!index.reads_metrics(place)) continue;
    const RulePtr& rule = index.enabled()[place];
    if (auto kept = remembered.find(rule.get()); kept != remembered.end()) {
      watches.push_back({place, std::move(kept->second->memory)});
    } else {
      watches.push_back({place, query::TestMemory(rule->expression, {.crossings = true})});
    }
  }
  watches_ = std::move(watches);
  index_ = std::move(index);
  kernel_alone_.clear();
  kernel_since_.reset();
  rules_ = std::move(rules);
  ++generation_;
  matched_.assign(index_.enabled().size(), 0);
  tracked_ = 0;
}

void Admission::SetKernel(uint32_t version, std::vector<bool> kernel_alone) {
  if (!kernel_since_) kernel_since_ = version;
  kernel_alone_ = std::move(kernel_alone);
}

Outcome Admission::OutcomeOf(uint32_t place) const {
  if (place == kNoPlace) return Outcome::kBaseline;
  return enabled()[place]->rule.action == Action::kDrop ? Outcome::kDropped : Outcome::kTracked;
}

void Admission::Count(const Standing& standing, int by) {
  if (standing.generation != generation_) return;  // counted under rules that are no more
  if (standing.place != kNoPlace) matched_[standing.place] += by;
  if (standing.tracked()) tracked_ += by;
}

// Finds the standing's rule again among new ones.
void Admission::Renew(Standing* standing) {
  if (standing->generation == generation_) return;
  standing->place = standing->now.rule == nullptr ? kNoPlace : index_.PlaceOf(standing->now.rule.get());
  standing->generation = generation_;
  Count(*standing, +1);
}

Admission::IdentityVerdict Admission::AskIdentity(const Subject& subject, uint64_t boot_ns) {
  scratch_snapshot_.tick.boot_ns = boot_ns;
  scratch_sample_.info = std::shared_ptr<const TaskInfo>(std::shared_ptr<void>(), subject.info);  // not owned
  SetFlag(v1::TASK_TCP_USED, subject.tcp_used, &scratch_sample_);
  SetFlag(v1::TASK_UDP_USED, subject.udp_used, &scratch_sample_);
  const query::Row row{.snapshot = &scratch_snapshot_, .sample = &scratch_sample_};
  IdentityVerdict verdict;
  for (uint32_t place : index_.Candidates(subject.info->comm)) {
    Truth truth = enabled()[place]->expression.Evaluate(row, nullptr);
    // What age says changes by itself: that is for the ticks.
    if (index_.reads_time(place)) truth = Truth::kUnknown;
    if (truth == Truth::kUnknown && index_.reads_metrics(place)) {
      verdict.watched.push_back(place);
      const bool kernel_watches = place < kernel_alone_.size() && kernel_alone_[place];
      verdict.may_match |= !kernel_watches && enabled()[place]->rule.action == Action::kTrack;
    }
    if (truth != Truth::kTrue) continue;
    verdict.place = std::min(verdict.place, place);
    // Rules after one that drops have no say; after one that tracks their thresholds are still watched.
    if (OutcomeOf(verdict.place) == Outcome::kDropped) break;
  }
  // What drops it by metrics does so only as long as they match.
  verdict.may_match |= OutcomeOf(verdict.place) == Outcome::kTracked && !verdict.watched.empty() &&
                       verdict.watched.front() < verdict.place;
  scratch_sample_.info.reset();
  return verdict;
}

bool Admission::Decide(const Subject& subject, Occasion occasion, uint64_t boot_ns, Standing* standing) {
  if (rules_ == nullptr) return false;
  Renew(standing);
  IdentityVerdict verdict = AskIdentity(subject, boot_ns);
  standing->watched = std::move(verdict.watched);
  standing->settled = 0;
  standing->may_match = verdict.may_match;
  standing->identity_place = verdict.place;
  standing->names_pending = (!subject.names_known && index_.first_by_names() < verdict.place) ||
                            (!subject.cgroup_known && index_.first_by_cgroup() < verdict.place);
  if (!ChangesNothing(occasion)) standing->inherited = false;
  if (standing->inherited && standing->place < verdict.place) return false;
  uint32_t place = verdict.place;
  // Metrics decide at ticks: until then the rule that they brought it under keeps it.
  if (occasion != Occasion::kExec && IsWatched(*standing)) place = std::min(place, standing->place);
  return Settle(place, occasion, boot_ns, "", standing);
}

void Admission::Inherit(const Standing& parent, uint64_t boot_ns, Standing* child) {
  *child = Standing();
  if (rules_ == nullptr || IsOutdated(parent)) return;
  child->generation = generation_;
  child->place = parent.place;
  child->identity_place = parent.identity_place;
  child->watched = parent.watched;
  child->may_match = parent.may_match;
  child->names_pending = parent.names_pending;
  child->inherited = true;
  child->now = parent.now;
  child->now.boot_ns = boot_ns;
  child->now.occasion = Occasion::kBorn;
  static const SharedText as_its_parent = "as its parent";
  child->now.detail = parent.now.rule == nullptr ? SharedText() : as_its_parent;
  if (IsWatched(*child)) child->hold_until_boot_ns = boot_ns + HoldOf(*child);
  Count(*child, +1);
}

// Under its new rule, or its old one for another reason. True when rule or outcome changed.
bool Admission::Settle(uint32_t place, Occasion occasion, uint64_t boot_ns, std::string detail, Standing* standing) {
  if (standing->names_pending) place = kNoPlace;
  const Outcome outcome = standing->names_pending ? Outcome::kPending : OutcomeOf(place);
  RulePtr rule = place == kNoPlace ? nullptr : enabled()[place];
  const bool first = standing->now.boot_ns == 0;
  if (!first && rule == standing->now.rule && outcome == standing->now.outcome) return false;
  Count(*standing, -1);
  if (!first && standing->now.outcome != Outcome::kPending) {
    standing->before.insert(standing->before.begin(), std::move(standing->now));
    if (standing->before.size() > Standing::kMostBefore) {
      standing->before.pop_back();
      ++standing->forgotten;
    }
  }
  standing->now = {boot_ns, occasion, outcome, std::move(rule), std::move(detail)};
  standing->place = place;
  standing->hold_until_boot_ns = 0;
  Count(*standing, +1);
  return true;
}

uint64_t Admission::HoldOf(const Standing& standing) const { return enabled()[standing.place]->rule.hold_ns; }

void Admission::BeginTick(const Snapshot& snapshot) {
  for (Watch& watch : watches_) watch.memory.BeginTick(snapshot);
}

// The first rule that its metrics make match, and by which crossing.
Admission::MetricVerdict Admission::AskMetrics(const query::Row& row, Standing* standing) {
  MetricVerdict verdict;
  const bool same = row.idle() && standing->settled_row == row.sample;
  if (!same) standing->settled = 0;
  standing->settled_row = row.sample;
  auto watch = watches_.begin();
  for (size_t i = 0; i < standing->watched.size(); ++i) {
    const uint64_t bit = i < 64 ? uint64_t{1} << i : 0;
    if ((standing->settled & bit) != 0) continue;
    const uint32_t place = standing->watched[i];
    watch = std::lower_bound(watch, watches_.end(), place, [](const Watch& w, uint32_t p) { return w.place < p; });
    if (watch == watches_.end() || watch->place != place) continue;
    const Truth truth = watch->memory.Evaluate(row);
    if (truth != Truth::kTrue && watch->memory.StaysUnremembered()) standing->settled |= bit;
    std::string detail = TellCrossings(&*watch, row);
    if (truth != Truth::kTrue || verdict.place != kNoPlace) continue;
    verdict.place = place;
    verdict.detail = std::move(detail);
  }
  return verdict;
}

bool Admission::Tick(const query::Row& row, Standing* standing) {
  if (IsOutdated(*standing) || standing->watched.empty()) return false;
  MetricVerdict verdict = AskMetrics(row, standing);
  if (standing->names_pending) return false;
  const uint64_t now = row.snapshot->tick.boot_ns;
  const uint32_t place = std::min(standing->identity_place, verdict.place);
  const RulePtr before = standing->now.rule;
  bool changed = false;
  if (place > standing->place) {
    changed = HoldOrLeave(place, now, standing);
  } else {
    standing->hold_until_boot_ns = 0;
    changed = Settle(place, Occasion::kThreshold, now, std::move(verdict.detail), standing);
  }
  if (changed) TellRule(row, before, *standing);
  return changed;
}

bool Admission::BelieveKernel(uint32_t place, uint32_t version, uint64_t boot_ns, const query::Row* row,
                              Standing* standing) {
  if (IsOutdated(*standing) || standing->names_pending || !kernel_since_ || version < *kernel_since_) return false;
  if (place >= standing->place || !std::binary_search(standing->watched.begin(), standing->watched.end(), place)) {
    return false;
  }
  const RulePtr before = standing->now.rule;
  const bool changed = Settle(place, Occasion::kThreshold, boot_ns, "seen by the kernel side", standing);
  if (changed && row != nullptr) TellRule(*row, before, *standing);
  return changed;
}

// Its metrics match no more: the rule keeps it for a while.
bool Admission::HoldOrLeave(uint32_t place, uint64_t boot_ns, Standing* standing) {
  if (!IsWatched(*standing)) return false;  // it has the rule from its parent, not from its metrics
  if (standing->hold_until_boot_ns == 0) standing->hold_until_boot_ns = boot_ns + HoldOf(*standing);
  if (boot_ns < standing->hold_until_boot_ns) return false;
  return Settle(place, Occasion::kHoldOver, boot_ns, "", standing);
}

void Admission::Forget(Standing* standing) {
  Count(*standing, -1);
  *standing = Standing();
}

Event Admission::MakeEvent(EventType type, const query::Row& row) const {
  Event event;
  event.type = type;
  event.boot_ns = row.snapshot->tick.boot_ns;
  event.wall_ns = row.snapshot->tick.wall_ns;
  event.task = row.sample->info;
  return event;
}

// Returns what the first crossing that began says.
std::string Admission::TellCrossings(Watch* watch, const query::Row& row) {
  std::string detail;
  for (const query::Crossing& crossing : watch->memory.TakeCrossings()) {
    Event event = MakeEvent(EventType::kThreshold, row);
    event.rule = enabled()[watch->place]->rule.name;
    event.begins = crossing.begins;
    event.metric = static_cast<MetricId>(crossing.metric);
    event.value = crossing.value.value_or(0);
    event.baseline = crossing.baseline;
    events_.push_back(std::move(event));
    if (detail.empty() && crossing.begins) detail = CrossingText(crossing);
  }
  return detail;
}

// Metrics have moved the task from one rule to another: it leaves one, comes under the other.
void Admission::TellRule(const query::Row& row, const RulePtr& before, const Standing& standing) {
  auto tell = [&](const RulePtr& rule, bool begins) {
    if (rule == nullptr) return;
    Event event = MakeEvent(EventType::kRule, row);
    event.rule = rule->rule.name;
    event.begins = begins;
    event.detail = begins ? standing.now.detail.str() : std::string(OccasionText(standing.now.occasion));
    events_.push_back(std::move(event));
  };
  tell(before, false);
  tell(standing.now.rule, true);
}

std::optional<uint64_t> Admission::MatchedBy(const CheckedRule* rule) const {
  const uint32_t place = index_.PlaceOf(rule);
  if (place != kNoPlace) return matched(place);
  return rule->rule.enabled ? std::nullopt : std::optional<uint64_t>(0);
}

std::vector<Event> Admission::TakeEvents() { return std::exchange(events_, {}); }

uint64_t Admission::turned_away() const {
  uint64_t count = 0;
  for (const Watch& watch : watches_) count += watch.memory.turned_away();
  return count;
}

std::optional<query::Verdicts> Admission::VerdictsOf(uint32_t place, const TaskKey& key) const {
  auto watch = std::find_if(watches_.begin(), watches_.end(), [&](const Watch& w) { return w.place == place; });
  if (watch == watches_.end()) return std::nullopt;
  return watch->memory.VerdictsOf(key);
}

}  // namespace taskmon::rules
