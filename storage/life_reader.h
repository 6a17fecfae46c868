// SPDX-License-Identifier: Apache-2.0
//
// Lives of tasks: by number, with parents, children and last samples. Part of RingReader, whose connection it uses.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/event_pages.h"
#include "storage/info_cache.h"
#include "storage/ring_reader.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class LifeReader {
 public:
  LifeReader(Database* db, InfoCache* infos) : db_(db), infos_(infos), pages_(db) {}
  absl::Status Prepare();

  absl::StatusOr<std::vector<Life>> Of(int32_t tid);
  absl::StatusOr<std::optional<Life>> Parent(const Life& child);
  absl::StatusOr<Children> ChildrenOf(const Life& parent, size_t limit);

 private:
  absl::StatusOr<std::vector<Life>> Read(Statement* select);
  absl::Status AddFinal(Life* life);
  absl::Status AddOldFinal(Life* life);

  Database* const db_;
  InfoCache* const infos_;
  EventPages pages_;
  bool old_ = false;  // of a format before 3
  Statement of_, children_, final_;
};

}  // namespace taskmon::storage
