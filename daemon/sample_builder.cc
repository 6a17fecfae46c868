// SPDX-License-Identifier: Apache-2.0
#include "daemon/sample_builder.h"

#include <algorithm>
#include <map>
#include <utility>

#include "proto/catalogue.h"

namespace taskmon::daemon {
namespace {

constexpr uint32_t kNamesEveryTicks = 30;

// The threads after the one at `index`, and their rows.
void FetchThreads(const Process& process, size_t index) {
  constexpr size_t kThreads = 8;
  constexpr size_t kRows = 4;
  if (index + kThreads < process.threads.size()) __builtin_prefetch(process.threads[index + kThreads].get());
  if (index + kRows < process.threads.size()) __builtin_prefetch(process.threads[index + kRows]->sample.get(), 1);
}

// Has what a tick touches of the next processes brought into the caches while it is at the ones before: idle tasks cost
// little else.
class Lookahead {
 public:
  explicit Lookahead(const TaskTable::Processes& processes)
      : end_(processes.end()), process_(processes.begin()), rows_(processes.begin()) {
    for (int i = 0; i < kProcesses; ++i) FetchProcess();
    for (int i = 0; i < kRows; ++i) FetchRows();
  }

  void Next() {
    FetchProcess();
    FetchRows();
  }

 private:
  static constexpr int kRows = 4;
  static constexpr int kProcesses = 8;

  void FetchProcess() {
    if (process_ == end_) return;
    const char* process = reinterpret_cast<const char*>(process_->second.get());
    // The first two lines; with more, the misses wait for each other.
    __builtin_prefetch(process);
    __builtin_prefetch(process + 64);
    ++process_;
  }

  // What the process points to.
  void FetchRows() {
    if (rows_ == end_) return;
    const Process& process = *rows_->second;
    __builtin_prefetch(process.sample.get(), 1);
    if (!process.threads.empty()) __builtin_prefetch(process.threads.front().get());
    ++rows_;
  }

  TaskTable::Processes::const_iterator end_;
  TaskTable::Processes::const_iterator process_;
  TaskTable::Processes::const_iterator rows_;
};

bool WantsSmaps(const rules::Standing& standing) {
  return standing.now.outcome == rules::Outcome::kTracked && standing.now.rule->rule.groups.test(v1::SMAPS);
}

}  // namespace

SampleBuilder::SampleBuilder(Options options)
    : options_(std::move(options)),
      keeper_({.boot_id = options_.boot_id, .apps = options_.apps, .admission = options_.admission}),
      pre_roll_(options_.pre_roll) {}

std::optional<SmapsTarget> SampleBuilder::SmapsTargetOf(const Process& process) const {
  if (!process.known || process.exited || process.info->kthread || process.sample == nullptr) return std::nullopt;
  const auto rss_bytes = static_cast<uint64_t>(process.sample->values[v1::TASK_PM_SIZE]);
  if (rss_bytes == 0) return std::nullopt;
  return SmapsTarget{.tgid = process.tgid(),
                     .start_ns = process.start_ns(),
                     .rss_bytes = rss_bytes,
                     .tracked = WantsSmaps(process.standing)};
}

void SampleBuilder::ChooseSmapsOthers() {
  if (smaps_chosen_pass_ && keeper_.pass() - *smaps_chosen_pass_ < kSmapsChoiceTicks) return;
  smaps_chosen_pass_ = keeper_.pass();
  std::vector<SmapsTarget> all;
  for (const auto& [id, process] : keeper_.table().processes()) {
    if (const std::optional<SmapsTarget> target = SmapsTargetOf(*process)) all.push_back(*target);
  }
  const size_t count = std::min(all.size(), SmapsBudget::Options().others);
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(), IsPreferred);
  smaps_others_.clear();
  for (size_t i = 0; i < count; ++i) smaps_others_.push_back(all[i].id());
}

std::vector<SmapsTarget> SampleBuilder::SmapsTargets(const std::vector<std::pair<int32_t, uint64_t>>& wanted) {
  ChooseSmapsOthers();
  std::map<std::pair<int32_t, uint64_t>, bool> ids;
  for (const auto& id : smaps_others_) ids[id] = false;
  for (const auto& id : wanted) ids[id] = true;
  std::vector<SmapsTarget> targets;
  for (const auto& [id, is_wanted] : ids) {
    const Process* process = keeper_.table().FindProcess(id.first, id.second);
    std::optional<SmapsTarget> target = process == nullptr ? std::nullopt : SmapsTargetOf(*process);
    if (!target) continue;
    target->wanted = is_wanted;
    targets.push_back(*target);
  }
  return targets;
}

std::vector<ProcessId> SampleBuilder::Processes() const {
  std::vector<ProcessId> ids;
  for (const auto& [key, process] : keeper_.table().processes()) {
    if (!process->exited && !process->info->kthread) ids.push_back({process->tgid(), process->start_ns()});
  }
  return ids;
}

// Asks for what /proc knows when there is reason to.
void SampleBuilder::AskNames(Process* process, uint64_t tick_seq, std::vector<NameRequest>* requests) {
  // Programs rewrite their command line (setproctitle) without telling anyone, most of them while they are young: look
  // again after 2, 4, 8 … ticks, and then now and then, if they have done something since.
  process->names_may_differ |= process->changed;
  const bool due = process->names_may_differ && tick_seq - process->names_seq >= process->names_pause;
  if (!process->wants_names && !due) return;
  const bool kthread = process->info->kthread;
  if (!process->wants_names && kthread) return;
  process->wants_names = process->names_may_differ = false;
  process->names_pause = std::min(2 * process->names_pause, kNamesEveryTicks);
  process->names_seq = tick_seq;
  requests->push_back({.tgid = process->tgid(),
                       .start_ns = process->start_ns(),
                       .cgroup_id = process->cgroup_id,
                       .cmdline = !kthread,
                       .exe = !kthread,
                       .cgroup = keeper_.names().Cgroup(process->cgroup_id) == nullptr});
}

// Asks the rules about the process's metrics. A row whose info says something else of them is exchanged.
void SampleBuilder::AskRules(Process* process, const Snapshot& snapshot) {
  if (options_.admission == nullptr || process->exited) return;
  const query::Row row{.snapshot = &snapshot, .sample = process->sample.get()};
  const bool believed = keeper_.rows().BelieveKernel(snapshot.tick.boot_ns, &row, process);
  if (!options_.admission->Tick(row, &process->standing) && !believed) return;
  process->info_changed = true;
  process->occasion_boot_ns = snapshot.tick.boot_ns;
  auto sample = std::make_shared<TaskSample>(*process->sample);
  sample->info = keeper_.rows().ProcessInfo(process);
  process->sample = std::move(sample);
  process->changed = false;
}

// Events, not birth, made it wanted: the minutes before are wanted, too.
void SampleBuilder::NotePromotion(Process* process, bool was_tracked) {
  if (was_tracked || !process->info->tracked || process->sample == nullptr) return;
  promoted_.emplace_back(process->tgid(), process->start_ns());
}

// What the kernel side asks, or holds for decided by a threshold that is no more crossed.
void SampleBuilder::AnswerKernel(Process* process, std::vector<bpf::UserVerdict>* verdicts) {
  if (options_.keep_untracked) return;
  const tm_decision& decision = process->decision;
  const rules::Standing& standing = process->standing;
  const bool asks = decision.verdict == TM_VERDICT_PENDING || decision.at == TM_DECIDED_USER;
  const bool may_lapse = decision.at == TM_DECIDED_THRESHOLD && decision.verdict == TM_VERDICT_WANTED;
  if (standing.names_pending || (!asks && !may_lapse)) return;
  const bool wanted = standing.tracked() || (asks && standing.may_match);
  if (process->answered_seq == decision.seq && process->answered_wanted == wanted) return;
  if (may_lapse && wanted) return;  // as the kernel side has it
  process->answered_seq = decision.seq;
  process->answered_wanted = wanted;
  verdicts->push_back(
      {.tgid = process->tgid(), .start_ns = process->start_ns(), .decision_seq = decision.seq, .wanted = wanted});
}

void SampleBuilder::CloseProcess(Process* process, const Snapshot& snapshot, Result* result) {
  const uint64_t tick_seq = snapshot.tick.seq;
  AskNames(process, tick_seq, &result->requests);
  const bool was_tracked = process->info.published() == nullptr || process->info.published()->tracked;
  if (process->occasion_boot_ns < snapshot.tick.boot_ns && !process->occasion) {
    process->occasion_boot_ns = snapshot.tick.boot_ns;
  }
  if (options_.admission != nullptr && options_.admission->IsOutdated(process->standing) && !process->info_changed) {
    process->occasion = rules::Occasion::kRules;
    process->info_changed = keeper_.rows().Judge(process);
  }
  if (process->info_changed) keeper_.rows().ProcessInfo(process);
  if (process->changed || process->sample == nullptr) {
    keeper_.rows().MakeProcessSample(process, tick_seq);
    process->changed = false;
    process->maxima.Clear();
  }
  AskRules(process, snapshot);
  NotePromotion(process, was_tracked);
  AnswerKernel(process, &result->verdicts);
  process->born_in_tick = false;
  for (size_t i = 0; i < process->threads.size(); ++i) {
    FetchThreads(*process, i);
    CloseThread(process->threads[i].get(), tick_seq);
  }
  if (process->info->tracked) tracked_threads_ += process->threads.size();
}

void SampleBuilder::CloseThread(Thread* thread, uint64_t tick_seq) {
  if (!thread->known) return;  // born after the pass: its first record comes with the next tick
  const bool has_news = thread->changed || thread->info_changed || thread->sample == nullptr;
  if (thread->process->multi && has_news) keeper_.rows().MakeThreadSample(thread, tick_seq);
  if (thread->changed) thread->maxima.Clear();
  thread->changed = false;
  thread->born_in_tick = false;
}

TickRows SampleBuilder::CloseAll(const Snapshot& snapshot, Result* result) {
  TickRows rows;
  rows.Reserve(keeper_.table().thread_count() + keeper_.table().processes().size());
  tracked_threads_ = 0;
  if (options_.admission != nullptr) options_.admission->BeginTick(snapshot);
  // They leave the table once it has been passed over.
  std::vector<Process*> gone;
  std::vector<Process*> left_out;
  Lookahead ahead(keeper_.table().processes());
  for (const auto& [id, owned] : keeper_.table().processes()) {
    ahead.Next();
    Process* process = owned.get();
    if (process->exited && process->zombie_pass != keeper_.pass()) {
      gone.push_back(process);
      continue;
    }
    // The kernel side will not send it again, whether or not a pass has come to it before.
    const bool leaves = !options_.keep_untracked && process->decision.verdict == TM_VERDICT_UNWANTED;
    if (leaves) left_out.push_back(process);
    if (!process->known) continue;
    CloseProcess(process, snapshot, result);
    if (leaves) continue;
    SortRows(process, {options_.keep_untracked, store_threads_}, snapshot.tick.seq, &rows);
  }
  for (Process* process : gone) keeper_.table().RemoveProcess(process);
  for (Process* process : left_out) keeper_.Leave(process);
  return rows;
}

void SampleBuilder::TakeEvents(const Tick& tick, std::vector<Event>* events) {
  if (tick.lost_records != 0) {
    Event& gap = keeper_.AddEvent(EventType::kGap, tick.boot_ns, nullptr);
    gap.detail = "life cycle records lost: no room in the ring buffer, or no memory";
    gap.lost = tick.lost_records;
  }
  *events = keeper_.TakeEvents();
  if (options_.admission != nullptr) {
    for (Event& event : options_.admission->TakeEvents()) events->push_back(std::move(event));
  }
  std::erase_if(*events, [this](const Event& event) {
    return event.task != nullptr && event.type != EventType::kRule && !IsKept(*event.task, options_.keep_untracked);
  });
  for (Event& event : *events) {
    if (event.boot_ns != 0) continue;
    event.boot_ns = tick.boot_ns;
    event.wall_ns = tick.wall_ns;
  }
}

SampleBuilder::Result SampleBuilder::EndTick(const Tick& tick) {
  keeper_.EndPass();
  Result result;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->tick = tick;
  snapshot->boot_id = options_.boot_id;
  snapshot->memory_total_bytes = options_.memory_total_bytes;
  TickRows rows = CloseAll(*snapshot, &result);
  result.past = pre_roll_.Take(std::exchange(promoted_, {}));
  pre_roll_.Add(tick, rows.not_stored());
  for (NameRequest& request : keeper_.names().TakeRequests()) result.requests.push_back(std::move(request));
  TakeEvents(tick, &result.events);
  if (!rows.stores_what_it_shows()) {
    auto stored = std::make_shared<Snapshot>(*snapshot);
    stored->tasks = rows.TakeStored();
    result.stored = std::move(stored);
  }
  snapshot->tasks = rows.TakeShown();
  result.snapshot = std::move(snapshot);
  if (result.stored == nullptr) result.stored = result.snapshot;
  return result;
}

const Process* SampleBuilder::FindProcess(int32_t tid) {
  const Thread* thread = keeper_.table().FindThreadByTid(tid);
  return thread == nullptr ? nullptr : thread->process;
}

}  // namespace taskmon::daemon
