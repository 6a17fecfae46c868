// SPDX-License-Identifier: Apache-2.0
#include "storage/past_encoder.h"

#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace taskmon::storage {
namespace {

struct Position {
  uint32_t tick;
  const std::shared_ptr<const TaskSample>* sample;
};

// The samples of one task, oldest first.
using Rows = std::map<TaskKey, std::vector<Position>>;

absl::StatusOr<Rows> Gather(const std::vector<PastTick>& ticks) {
  Rows rows;
  for (uint32_t t = 0; t < ticks.size(); ++t) {
    for (const auto& sample : ticks[t].tasks) {
      std::vector<Position>& row = rows[sample->info->key];
      if (!row.empty() && row.back().tick == t) {
        return absl::InvalidArgumentError(
            fmt::format("task {} is there twice in tick {}", sample->info->key.tid, ticks[t].seq));
      }
      row.push_back({t, &sample});
    }
  }
  return rows;
}

// A sample as it is kept; by way of the journal's record, which is where rounding has its home.
absl::Status Keep(const TaskSample& sample, const Tick& tick, int64_t info_id, const UpdateContext& context,
                  RowState* state) {
  UpdateContext now = context;
  now.tick = tick;
  ByteWriter bytes;
  EncodeUpdate(nullptr, sample, info_id, now, &bytes);
  UpdateDetail detail;
  *state = RowState();
  return DecodeUpdate(bytes.data(), now, state, &detail);
}

absl::Status AddRow(const std::vector<Position>& row, size_t begin, size_t end, const std::vector<PastTick>& ticks,
                    TaskTable* tasks, const UpdateContext& context, ChunkBuilder* builder) {
  const TaskSample* before = nullptr;
  for (size_t i = begin; i < end; ++i) {
    const TaskSample& sample = **row[i].sample;
    if (&sample == before) continue;
    absl::StatusOr<TaskIds> ids = tasks->Past(sample.info, ticks[row[i].tick].seq, ticks[row[end - 1].tick].seq);
    if (!ids.ok()) return ids.status();
    if (i == begin) builder->BeginRow(ids->task, row[begin].tick, row[end - 1].tick);
    RowState state;
    absl::Status status = Keep(sample, builder->ticks()[row[i].tick].tick, ids->info, context, &state);
    if (!status.ok()) return status;
    builder->AddUpdate(row[i].tick, state);
    before = &sample;
  }
  builder->EndRow();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EncodedChunk> EncodePast(const std::vector<PastTick>& ticks, TaskTable* tasks,
                                        const UpdateContext& context) {
  absl::StatusOr<Rows> rows = Gather(ticks);
  if (!rows.ok()) return rows.status();
  std::vector<TickHeader> headers(ticks.size());
  for (size_t t = 0; t < ticks.size(); ++t) headers[t].tick.seq = ticks[t].seq;
  ChunkBuilder builder(std::move(headers), context.counters, *context.precision);
  for (const auto& [key, row] : *rows) {
    for (size_t begin = 0, end = 0; begin < row.size(); begin = end) {
      end = begin + 1;
      while (end < row.size() && row[end].tick == row[end - 1].tick + 1) ++end;
      absl::Status status = AddRow(row, begin, end, ticks, tasks, context, &builder);
      if (!status.ok()) return status;
    }
  }
  return builder.Finish();
}

}  // namespace taskmon::storage
