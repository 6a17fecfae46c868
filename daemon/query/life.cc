// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/query/engine.h"
#include "daemon/query/time_spec.h"

namespace taskmon::query {
namespace {

constexpr size_t kMaxChildren = 1000;

template <typename Message>
void EncodeEnd(const storage::Life& life, Message* out) {
  out->set_ended(life.ended);
  out->set_ended_time_ns(life.exit_wall_ns);
  out->set_duration_ns(life.duration_ns);
  if (life.exit_wall_ns == 0) return;
  if (WIFEXITED(life.wait_status)) out->set_exit_code(WEXITSTATUS(life.wait_status));
  if (WIFSIGNALED(life.wait_status)) out->set_exit_signal(WTERMSIG(life.wait_status));
}

// The totals of the life over its length; a task whose end was not recorded has none.
v1::TaskBatch LastRow(const storage::Life& life, const Caller& caller) {
  TaskSample sample;
  if (life.final_sample != nullptr) sample = *life.final_sample;
  sample.info = life.info;
  sample.deltas = sample.values;
  sample.valid.reset(v1::TASK_OFFCPU_SINCE).reset(v1::TASK_IOWAIT_SINCE);
  Snapshot moment;
  moment.tick = {sample.tick_seq, life.exit_wall_ns, life.exit_boot_ns, life.duration_ns, 0};
  moment.boot_id = life.info->boot_id;
  std::vector<v1::Metric> metrics;
  for (const MetricDesc& metric : AllMetrics()) metrics.push_back(metric.id);
  BatchBuilder builder(metrics);
  builder.Add(MakeRow(moment, sample, caller), life.exit_wall_ns);
  return builder.Take(true);
}

void EncodeRelative(const storage::Life& life, const Caller& caller, v1::Relative* out) {
  const TaskSample sample{.info = life.info};
  const Snapshot moment;
  EncodeTaskInfo(*life.info, life.info->boot_id, MakeRow(moment, sample, caller).names_visible(), out->mutable_task());
  EncodeEnd(life, out);
}

// Whether it is the leading thread of a process that is there too.
bool LeadsOneOf(const storage::Life& life, const std::vector<storage::Life>& lives) {
  return life.info->key.thread && std::any_of(lives.begin(), lives.end(), [&](const storage::Life& other) {
           return !other.info->key.thread && other.info->key.start_ns == life.info->key.start_ns;
         });
}

// The one that was there at the time; without a time the newest.
const storage::Life* Choose(const std::vector<storage::Life>& lives, int64_t at_wall_ns) {
  const storage::Life* chosen = nullptr;
  for (const storage::Life& life : lives) {
    // A process and its leading thread share number and start.
    if (chosen != nullptr && life.info->key.thread && life.info->key.start_ns == chosen->info->key.start_ns) continue;
    const bool over = life.exit_wall_ns != 0 && life.exit_wall_ns < at_wall_ns;
    if (at_wall_ns != 0 && (life.info->start_wall_ns > at_wall_ns || over)) continue;
    chosen = &life;
  }
  return chosen;
}

// The family of a thread is that of its process. NotFound: that is not stored.
absl::StatusOr<storage::Life> ProcessOf(const storage::Life& task, storage::RingReader* reader) {
  if (!task.info->key.thread) return task;
  absl::StatusOr<std::vector<storage::Life>> lives = reader->Lives(task.info->tgid);
  if (!lives.ok()) return lives.status();
  for (storage::Life& life : *lives) {
    const TaskInfo& info = *life.info;
    if (!info.key.thread && info.key.start_ns == task.info->process_start_ns && info.boot_id == task.info->boot_id) {
      return std::move(life);
    }
  }
  return absl::NotFoundError("the process of the thread is not stored");
}

}  // namespace

absl::StatusOr<v1::Life> Engine::GetLife(const v1::LifeRequest& request_untrusted, const Caller& caller) const {
  if (request_untrusted.tid() <= 0) return absl::InvalidArgumentError("a tid is positive");
  absl::StatusOr<std::unique_ptr<storage::RingReader>> reader = OpenRing();
  if (!reader.ok()) return reader.status();
  int64_t at = 0;
  if (!request_untrusted.at().empty()) {
    absl::StatusOr<int64_t> now = Now(reader->get());
    if (!now.ok()) return now.status();
    absl::StatusOr<int64_t> time = ParseTime(request_untrusted.at(), *now);
    if (!time.ok()) return time.status();
    at = *time;
  }
  absl::StatusOr<std::vector<storage::Life>> lives = (*reader)->Lives(request_untrusted.tid());
  if (!lives.ok()) return lives.status();
  const storage::Life* chosen = Choose(*lives, at);
  if (chosen == nullptr) {
    return absl::NotFoundError(
        fmt::format("no task {} is stored{}", request_untrusted.tid(), at != 0 ? " of that time" : ""));
  }
  v1::Life life;
  EncodeEnd(*chosen, &life);
  life.set_core_dumped(chosen->exit_wall_ns != 0 && WIFSIGNALED(chosen->wait_status) && WCOREDUMP(chosen->wait_status));
  life.set_totals_known(chosen->final_sample != nullptr);
  *life.mutable_task() = LastRow(*chosen, caller);
  for (const storage::Life& each : *lives) {
    if (each.info->key.start_ns != chosen->info->key.start_ns && !LeadsOneOf(each, *lives))
      life.set_other_lives(life.other_lives() + 1);
  }
  absl::StatusOr<storage::Life> process = ProcessOf(*chosen, reader->get());
  if (absl::IsNotFound(process.status())) return life;
  if (!process.ok()) return process.status();
  absl::StatusOr<std::optional<storage::Life>> parent = (*reader)->Parent(*process);
  if (!parent.ok()) return parent.status();
  if (parent->has_value()) EncodeRelative(**parent, caller, life.mutable_parent());
  absl::StatusOr<storage::Children> children = (*reader)->ChildrenOf(*process, kMaxChildren);
  if (!children.ok()) return children.status();
  for (const storage::Life& child : children->lives) EncodeRelative(child, caller, life.add_children());
  life.set_more_children(children->more);
  return life;
}

}  // namespace taskmon::query
