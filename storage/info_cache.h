// SPDX-License-Identifier: Apache-2.0
//
// The names of tasks as a reader looks them up: rows of task_info, kept while they are in demand, so that the ticks of
// a scan share them. Belongs to a RingReader.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/sample.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class InfoCache {
 public:
  explicit InfoCache(Database* db) : db_(db) {}
  absl::Status Prepare();

  // DataLoss: there is no such row.
  absl::StatusOr<std::shared_ptr<const TaskInfo>> Find(int64_t info_id);
  absl::StatusOr<std::string> BootId(int64_t boot);
  // Between two answers: forgets all when it has grown large.
  void Trim();

 private:
  Database* const db_;
  std::unordered_map<int64_t, std::shared_ptr<const TaskInfo>> infos_;
  Statement info_, boot_;
};

}  // namespace taskmon::storage
