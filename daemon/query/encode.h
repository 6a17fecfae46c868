// SPDX-License-Identifier: Apache-2.0
//
// Rows as clients get them. Redaction happens here and nowhere later: a redacted or unavailable value leaves as 0 with
// its metric listed. Text that is not UTF-8 is mended, since protobuf strings must be. A builder belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/query/row.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::query {

// Bytes that are not UTF-8 become U+FFFD.
std::string MendUtf8(std::string_view text);

// `boot_id` stands in when the task's is empty.
void EncodeTaskInfo(const TaskInfo& info, const std::string& boot_id, NamesVisible visible, v1::TaskInfo* out);

void EncodeTick(const Tick& tick, v1::Tick* out);

// Fills values, unavailable and redacted of a Sample or an Event.
template <typename Message>
void EncodeValues(const Row& row, const std::vector<v1::Metric>& metrics, Message* out) {
  out->mutable_values()->Reserve(static_cast<int>(metrics.size()));
  for (v1::Metric metric : metrics) {
    int64_t value = 0;
    if (IsRedacted(row, metric)) {
      out->add_redacted(metric);
    } else if (const std::optional<int64_t> resolved = ResolveValue(row, metric)) {
      value = *resolved;
    } else {
      out->add_unavailable(metric);
    }
    out->add_values(value);
  }
}

// Gathers rows of one or more ticks into batches that stay well below gRPC's message limit. Ticks and tasks are sent
// once per batch; every batch stands by itself.
class BatchBuilder {
 public:
  static constexpr size_t kMaxRows = 1000;
  static constexpr size_t kMaxBytes = 1 << 20;  // estimated

  explicit BatchBuilder(const std::vector<v1::Metric>& metrics) : metrics_(metrics) { Reset(); }

  // `ended_wall_ns`: 0 while the task lives. `group_tasks`: how many it stands for; 0: the row is a task.
  void Add(const Row& row, int64_t ended_wall_ns = 0, uint32_t group_tasks = 0);
  // Between the rows before and after it.
  void AddGap(const v1::Gap& gap);
  void AddTick(const Tick& tick);  // a tick without rows
  bool full() const { return rows_ >= kMaxRows || bytes_ >= kMaxBytes; }
  v1::TaskBatch Take(bool last);
  size_t rows() const { return rows_; }

 private:
  void Reset();
  uint32_t TickIndex(const Tick& tick);
  uint32_t TaskIndex(const Row& row);

  const std::vector<v1::Metric> metrics_;
  v1::TaskBatch batch_;
  // Holding the TaskInfo keeps its address from being used for another one.
  std::unordered_map<std::shared_ptr<const TaskInfo>, uint32_t> tasks_;
  size_t rows_ = 0;
  size_t bytes_ = 0;
};

}  // namespace taskmon::query
