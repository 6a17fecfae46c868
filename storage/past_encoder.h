// SPDX-License-Identifier: Apache-2.0
//
// Rows that supplement stored ticks, as a chunk of their own: its ticks have numbers and nothing else. Called inside
// the writer's transaction, since the tasks get their rows in the task table on the way.
#pragma once

#include <vector>

#include <absl/status/statusor.h>

#include "storage/chunk.h"
#include "storage/journal.h"
#include "storage/ring_writer.h"
#include "storage/task_table.h"

namespace taskmon::storage {

// `context`: precision and metrics to keep; its tick is not looked at. InvalidArgument: a task twice in a tick.
absl::StatusOr<EncodedChunk> EncodePast(const std::vector<PastTick>& ticks, TaskTable* tasks,
                                        const UpdateContext& context);

}  // namespace taskmon::storage
