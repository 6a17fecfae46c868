// SPDX-License-Identifier: Apache-2.0
#include "storage/task_times.h"

#include <utility>

#include <fmt/format.h>

#include "storage/codec.h"

namespace taskmon::storage {

absl::Status TaskTimesReader::Prepare(Database* db) {
  absl::StatusOr<Statement> prepared = db->Prepare(
      "SELECT t.start_ns, b.wall_offset_ns, t.duration_ns, t.wait_status, t.start_skew_ns + t.exit_skew_ns FROM task t"
      " JOIN boot b ON b.id = t.boot WHERE t.id = ?");
  if (!prepared.ok()) return prepared.status();
  select_ = *std::move(prepared);
  return absl::OkStatus();
}

absl::StatusOr<TaskTimes> TaskTimesReader::Find(int64_t task) {
  ResetAtEnd reset(&select_);
  absl::StatusOr<bool> row = select_.Bind(task).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("task {} is missing", task));
  TaskTimes times;
  times.start_ns = static_cast<uint64_t>(select_.Int(0));
  times.wall_offset_ns = select_.Int(1);
  times.ended = !select_.IsNull(2);
  if (!times.ended) return times;
  times.duration_ns = static_cast<uint64_t>(select_.Int(2));
  times.wait_status = static_cast<int32_t>(select_.Int(3));
  times.exit_boot_ns = times.start_ns + times.duration_ns;
  times.exit_wall_ns = WrapAdd(WrapAdd(static_cast<int64_t>(times.exit_boot_ns), times.wall_offset_ns), select_.Int(4));
  return times;
}

}  // namespace taskmon::storage
