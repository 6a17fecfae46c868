// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_book.h"

#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "daemon/rules/rule_fields.h"
#include "daemon/rules/rule_text.h"

namespace taskmon::rules {
namespace {

// The sampler takes them at each tick; of more edits between two the oldest are not told.
constexpr size_t kMostEvents = 1000;

storage::StoredRule ToStored(const Rule& rule) {
  return {.name = rule.name,
          .order = rule.order,
          .expr = rule.expression,
          .action = std::string(ActionText(rule.action)),
          .groups = GroupsText(rule.groups),
          .threads = ThreadsText(rule.threads),
          .hold = HoldText(rule.hold_ns),
          .enabled = rule.enabled,
          .note = rule.note};
}

std::vector<storage::StoredRule> ToStored(const RuleSet& set) {
  std::vector<storage::StoredRule> stored;
  stored.reserve(set.size());
  for (const RulePtr& rule : set.rules()) stored.push_back(ToStored(rule->rule));
  return stored;
}

absl::StatusOr<Rule> FromStored(const storage::StoredRule& stored) {
  const absl::StatusOr<Action> action = ParseAction(stored.action);
  const absl::StatusOr<MetricGroups> groups = ParseGroups(stored.groups);
  const absl::StatusOr<ThreadDetail> threads = ParseThreads(stored.threads);
  const absl::StatusOr<uint64_t> hold_ns = ParseHold(stored.hold);
  for (const absl::Status& status : {action.status(), groups.status(), threads.status(), hold_ns.status()}) {
    if (!status.ok()) return status;
  }
  return Rule{.name = stored.name,
              .order = stored.order,
              .expression = stored.expr,
              .action = *action,
              .groups = *groups,
              .threads = *threads,
              .hold_ns = *hold_ns,
              .enabled = stored.enabled,
              .note = stored.note};
}

// Rules that this program's language does not know (it was older or newer when they were written), or that were made
// to clash by other hands, cannot be asked; the others are worth keeping.
std::vector<Rule> Usable(const std::vector<storage::StoredRule>& stored, std::vector<std::string>* left_out) {
  std::vector<Rule> rules;
  std::unordered_set<std::string_view> names;
  std::unordered_set<uint32_t> orders;
  for (const storage::StoredRule& each : stored) {
    absl::StatusOr<Rule> rule = FromStored(each);
    absl::Status status = rule.ok() ? RuleSet::Make({*rule}).status() : rule.status();
    if (status.ok() && !(names.insert(each.name).second && orders.insert(each.order).second)) {
      status = absl::InvalidArgumentError("another rule has its name or order");
    }
    if (status.ok()) {
      rules.push_back(*std::move(rule));
    } else {
      left_out->push_back(fmt::format("rule '{}' is left out: {}", each.name, std::string(status.message())));
    }
  }
  return rules;
}

}  // namespace

RuleBook::RuleBook(Options options, std::unique_ptr<storage::RuleStore> store)
    : options_(std::move(options)), store_(std::move(store)), current_(std::make_shared<const RuleSet>()) {}

absl::StatusOr<std::unique_ptr<RuleBook>> RuleBook::Open(Options options) {
  absl::StatusOr<std::unique_ptr<storage::RuleStore>> store = storage::RuleStore::Open(options.store);
  if (!store.ok()) return store.status();
  std::unique_ptr<RuleBook> book(new RuleBook(std::move(options), *std::move(store)));
  absl::MutexLock lock(&book->edit_mutex_);
  book->NoteDamage();
  if (absl::Status status = book->Load(); !status.ok()) return status;
  return book;
}

absl::Status RuleBook::Load() {
  const uint64_t newest = store_->newest_version();
  if (newest == 0) return BeginWithDefaults();
  absl::StatusOr<std::vector<storage::StoredRule>> stored = store_->Load(newest);
  if (!stored.ok()) return stored.status();
  std::vector<std::string> left_out;
  absl::StatusOr<RuleSet> set = RuleSet::Make(Usable(*stored, &left_out));
  if (!set.ok()) return set.status();
  *set = set->WithVersion(newest);
  if (!left_out.empty()) {
    const std::string what = fmt::format("left out {} rules that this taskmond does not understand", left_out.size());
    if (absl::Status status = Store(&*set, {.what = what}); !status.ok()) return status;
    for (std::string& line : left_out) Remark(std::move(line));
    Remark(fmt::format("the rules as they were are version {}", newest));
  }
  Publish(std::make_shared<const RuleSet>(*std::move(set)), {}, {});
  return absl::OkStatus();
}

absl::Status RuleBook::BeginWithDefaults() {
  absl::StatusOr<RuleSet> set = ReadRuleText(options_.defaults, "rules.toml");
  if (!set.ok()) return set.status();
  if (absl::Status status = Store(&*set, {.what = "the rules that taskmond comes with"}); !status.ok()) return status;
  Publish(std::make_shared<const RuleSet>(*std::move(set)), {}, {});
  return absl::OkStatus();
}

RuleSetPtr RuleBook::Current() const {
  absl::MutexLock lock(&current_mutex_);
  return current_;
}

absl::StatusOr<RuleBook::EditResult> RuleBook::Edit(const EditFunction& edit, const EditOptions& options) {
  absl::MutexLock lock(&edit_mutex_);
  return EditLocked(edit, options);
}

absl::StatusOr<RuleBook::EditResult> RuleBook::EditLocked(const EditFunction& edit, const EditOptions& options) {
  const RuleSetPtr before = Current();
  if (options.expected_version != 0 && options.expected_version != before->version()) {
    return absl::AbortedError(
        fmt::format("the rules were edited meanwhile: version {} is current, not {}; look at them and try again",
                    before->version(), options.expected_version));
  }
  absl::StatusOr<RuleSet> after = edit(*before);
  if (!after.ok()) return after.status();
  *after = after->WithVersion(before->version());
  EditResult result;
  result.changes = Diff(*before, *after);
  if (result.changes.empty()) return EditResult{.set = before};
  if (options.dry_run) {
    result.set = std::make_shared<const RuleSet>(*std::move(after));
    return result;
  }
  EditOptions named = options;
  if (named.what.empty()) named.what = Summary(result.changes);
  if (absl::Status status = Store(&*after, named); !status.ok()) return status;
  result.set = std::make_shared<const RuleSet>(*std::move(after));
  Publish(result.set, result.changes, named);
  return result;
}

absl::Status RuleBook::Store(RuleSet* set, const EditOptions& options) {
  const storage::RuleVersion about{
      .wall_ns = options_.now_wall_ns(), .author_uid = options.author_uid, .what = options.what};
  const absl::StatusOr<uint64_t> version = store_->Save(ToStored(*set), about);
  NoteDamage();
  if (!version.ok()) {
    return absl::Status(version.status().code(), fmt::format("the rules cannot be stored and stay as they are: {}",
                                                             std::string(version.status().message())));
  }
  *set = set->WithVersion(*version);
  return absl::OkStatus();
}

void RuleBook::NoteDamage() {
  if (store_->set_aside() == set_aside_) return;
  set_aside_ = store_->set_aside();
  Remark(fmt::format("the rule file was damaged and is set aside as {}; a new one is begun", set_aside_));
}

void RuleBook::Remark(std::string line) {
  absl::MutexLock lock(&current_mutex_);
  remarks_.push_back(std::move(line));
}

void RuleBook::Publish(RuleSetPtr set, const std::vector<RuleChange>& changes, const EditOptions& options) {
  absl::MutexLock lock(&current_mutex_);
  current_ = std::move(set);
  if (changes.empty()) return;
  if (events_.size() >= kMostEvents) {
    events_.erase(events_.begin());
    ++untold_;
  }
  Event event;
  event.type = EventType::kRule;
  event.wall_ns = options_.now_wall_ns();
  event.boot_ns = options_.now_boot_ns();
  if (changes.size() == 1) event.rule = changes[0].rule->rule.name;
  event.detail = fmt::format("uid {} {} (version {})", options.author_uid, options.what, current_->version());
  events_.push_back(std::move(event));
}

absl::StatusOr<std::vector<Rule>> RuleBook::Read(uint64_t version) {
  absl::StatusOr<std::vector<storage::StoredRule>> stored = store_->Load(version);
  if (absl::IsNotFound(stored.status())) return absl::InvalidArgumentError(std::string(stored.status().message()));
  if (!stored.ok()) return stored.status();
  std::vector<std::string> left_out;
  std::vector<Rule> rules = Usable(*stored, &left_out);
  if (!left_out.empty()) return absl::InvalidArgumentError(fmt::format("version {}: {}", version, left_out[0]));
  return rules;
}

absl::StatusOr<RuleSet> RuleBook::Version(uint64_t version) {
  absl::MutexLock lock(&edit_mutex_);
  absl::StatusOr<std::vector<Rule>> rules = Read(version);
  if (!rules.ok()) return rules.status();
  absl::StatusOr<RuleSet> set = RuleSet::Make(*std::move(rules));
  return set.ok() ? set->WithVersion(version) : std::move(set);
}

absl::StatusOr<storage::RuleVersionList> RuleBook::Versions() {
  absl::MutexLock lock(&edit_mutex_);
  return store_->Versions();
}

absl::StatusOr<RuleBook::EditResult> RuleBook::RollBack(uint64_t version, EditOptions options) {
  absl::MutexLock lock(&edit_mutex_);
  if (version == 0) version = Current()->version() - 1;
  if (version == 0) return absl::InvalidArgumentError("version 1 is the first; there is none to go back to");
  absl::StatusOr<std::vector<Rule>> earlier = Read(version);
  if (!earlier.ok()) return earlier.status();
  options.what = fmt::format("rolled back to version {}", version);
  return EditLocked([&](const RuleSet& current) { return current.Replace(*std::move(earlier)); }, options);
}

std::vector<Event> RuleBook::TakeEvents() {
  absl::MutexLock lock(&current_mutex_);
  std::vector<Event> events = std::exchange(events_, {});
  const uint64_t untold = std::exchange(untold_, 0);
  if (untold != 0) events[0].detail += fmt::format(" ({} edits before it are in the list of versions only)", untold);
  return events;
}

std::vector<std::string> RuleBook::TakeRemarks() {
  absl::MutexLock lock(&current_mutex_);
  return std::exchange(remarks_, {});
}

}  // namespace taskmon::rules
