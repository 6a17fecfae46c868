// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/rule_request_world.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daemon/query/ring_columns.h"
#include "tests/fuzz/asking.h"
#include "tests/unit/daemon/records.h"
#include "tests/unit/query/world.h"

namespace taskmon::fuzz {
namespace {

using daemon::kSecond;
using daemon::Leader;

constexpr char kRules[] = R"toml(
[[rule]]
name = "nobody"
expr = "comm == nobody && (read > 100 || (rchar > 1000 for 2s) || anomaly(read) || fds > 5)"
[[rule]]
name = "heavy-use"
expr = "(cpu > 1% for 2s) || rss > 1MiB"
hold = "10s"
[[rule]]
name = "shells"
expr = "comm =~ \"^(ba)?sh\" && uid != 0"
threads = "top:5"
[[rule]]
name = "quiet"
expr = "kthread"
action = "drop"
enabled = false
note = "not now"
)toml";
constexpr uint64_t kTicks = 8;

struct Owner {
  int32_t tid;
  uint32_t uid;
  const char* comm;
};
constexpr Owner kOwners[] = {{10, kOrdinaryUid, "nginx"}, {20, 1001, "postgres"}, {30, 0, "nobody"}, {40, 1001, "sh"}};

// One stream of numbers for what everybody may see, another one for what is guarded of other users.
tm_task_record Work(const Owner& owner, uint64_t tick, std::mt19937_64* open, std::mt19937_64* secret) {
  tm_task_record record = daemon::TaskRecord(Leader(owner.tid, owner.tid * kSecond), owner.comm, 0);
  record.uid = record.gid = owner.uid;
  record.counters[TM_C_RUNTIME_NS] = tick * ((*open)() % 50'000'000);
  record.process[TM_P_RSS_ANON_BYTES] = (*open)() % (4u << 20);
  std::mt19937_64* const guarded = owner.uid == kOrdinaryUid ? open : secret;
  for (const tm_counter counter : {TM_C_RCHAR, TM_C_WCHAR, TM_C_READ_BYTES, TM_C_WRITE_BYTES, TM_C_NET_TX, TM_C_NET_RX})
    record.counters[counter] = tick * 1000 + (*guarded)() % 1000;
  record.process[TM_P_FD_COUNT] = (*guarded)() % 10;
  return record;
}

}  // namespace

RuleMachine::RuleMachine(uint64_t secret, bool hides_cmdlines) : machine_(secret, hides_cmdlines) {
  auto book = rules::RuleBook::Open({.store = {.path = machine_.directory() + "/rules.db", .max_versions = 10},
                                     .defaults = kRules,
                                     .now_wall_ns = [] { return query::kStart; },
                                     .now_boot_ns = [] { return query::kBoot; }});
  Require(book.ok(), book.status().ToString());
  book_ = *std::move(book);
  first_rules_ = book_->Current();
  admission_.SetRules(first_rules_);
  Live(secret);
  answers_ = std::make_unique<daemon::RuleAnswers>(daemon::RuleAnswers::Sources{
      .ask_sampler =
          [this](const auto& question) {
            question(*builder_);
            return absl::OkStatus();
          },
      .admission = &admission_,
      .newest = [this] { return newest_; },
      .open_ring = [this] { return storage::RingReader::Open(machine_.ring_path(), query::RingColumns()); },
      .ring_bytes = [] { return 1u << 20; },
      .now_wall_ns = [this] { return machine_.newest().tick.wall_ns; },
      .budgets = machine_.engine().budgets()});
  desk_ = std::make_unique<daemon::RuleDesk>(daemon::RuleDesk::Sources{.book = book_.get(),
                                                                       .engine = answers_.get(),
                                                                       .newest = [this] { return newest_; },
                                                                       .reader_group = "taskmon",
                                                                       .admin_group = "taskmon-admin"});
}

// Some ticks, so that rules have been asked, with all that they remember.
void RuleMachine::Live(uint64_t secret_seed) {
  builder_ = std::make_unique<daemon::SampleBuilder>(
      daemon::SampleBuilder::Options{.boot_id = "boot", .memory_total_bytes = 1 << 30, .admission = &admission_});
  builder_->SetAttached(daemon::HookGroups().set());
  std::mt19937_64 open(1), secret(secret_seed);
  for (uint64_t tick = 1; tick <= kTicks; ++tick) {
    builder_->BeginPass(true);
    for (const Owner& owner : kOwners) builder_->OnTask(Work(owner, tick, &open, &secret));
    const auto result = builder_->EndTick({.seq = tick,
                                           .wall_ns = query::kStart + static_cast<int64_t>(tick * kSecond),
                                           .boot_ns = query::kBoot + tick * kSecond,
                                           .elapsed_ns = tick == 1 ? 0 : kSecond});
    newest_ = result.snapshot;
    for (const daemon::NameRequest& request : result.requests) {
      builder_->OnNames(
          {.request = request, .found = true, .cgroup = {.path = "/"}, .cgroup_unified = true, .user = "somebody"});
    }
  }
}

void RuleMachine::Restore() const {
  if (book_->Current()->version() == first_rules_->version()) return;
  std::vector<rules::Rule> first;
  for (const rules::RulePtr& rule : first_rules_->rules()) first.push_back(rule->rule);
  const auto restored = book_->Edit(
      [&first](const rules::RuleSet& current) {
        size_t culprit = 0;
        return current.Replace(first, &culprit);
      },
      {});
  Require(restored.ok(), restored.status().ToString());
}

}  // namespace taskmon::fuzz
