// SPDX-License-Identifier: Apache-2.0
//
// Lives of tasks as the tables `task`, `task_info` and `event` have them: by number, with parents and children. Part of
// RingReader, whose connection it uses.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/info_cache.h"
#include "storage/ring_reader.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class LifeReader {
 public:
  LifeReader(Database* db, InfoCache* infos) : db_(db), infos_(infos) {}
  absl::Status Prepare();

  absl::StatusOr<std::vector<Life>> Of(int32_t tid);
  absl::StatusOr<std::optional<Life>> Parent(const Life& child);
  absl::StatusOr<Children> ChildrenOf(const Life& parent, size_t limit);

 private:
  absl::StatusOr<std::vector<Life>> Read(Statement* select);
  absl::Status AddFinal(int64_t task, Life* life);

  Database* const db_;
  InfoCache* const infos_;
  Statement of_, children_, final_;
};

}  // namespace taskmon::storage
