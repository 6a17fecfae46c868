// SPDX-License-Identifier: Apache-2.0
//
// Reads from the rows of tasks when they began and ended, which columns of events leave out. Belongs to one connection.
#pragma once

#include <cstdint>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/event_columns.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class TaskTimesReader {
 public:
  absl::Status Prepare(Database* db);
  // DataLoss: there is no such task.
  absl::StatusOr<TaskTimes> Find(int64_t task);
  FindTimes finder() {
    return [this](int64_t task) { return Find(task); };
  }

 private:
  Statement select_;
};

}  // namespace taskmon::storage
