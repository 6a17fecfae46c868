// SPDX-License-Identifier: Apache-2.0
//
// The names of tasks as a reader looks them up, kept while they are in demand, so that the ticks of a scan share them.
// Reads older formats as well. Belongs to one connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/sample.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

class InfoCache {
 public:
  explicit InfoCache(Database* db) : db_(db) {}
  absl::Status Prepare();

  // The task, called as row `names` of the table has it. DataLoss: there is no such row.
  absl::StatusOr<std::shared_ptr<const TaskInfo>> Find(int64_t task, int64_t names);
  absl::StatusOr<std::string> BootId(int64_t boot);
  // Between two answers: forgets all when it has grown large.
  void Trim();

 private:
  struct Names {
    TaskInfo info;  // but for what its task has to say
    std::optional<int64_t> ppid, tgid, process_start_ns, start_wall_ns;
  };
  struct Hash {
    size_t operator()(const std::pair<int64_t, int64_t>& ids) const {
      return static_cast<size_t>(ids.first) * 0x9e3779b97f4a7c15ull ^ static_cast<size_t>(ids.second);
    }
  };
  absl::StatusOr<SharedText> FindText(int64_t id);
  SharedText OfBoot(const std::string& boot_id);
  absl::StatusOr<const Names*> FindNames(int64_t id);
  absl::StatusOr<std::shared_ptr<const TaskInfo>> Read(int64_t task, int64_t names);
  absl::StatusOr<std::shared_ptr<const TaskInfo>> ReadOld(int64_t info);

  Database* const db_;
  bool old_ = false;  // of a format before 3, where names had a row for each task
  std::unordered_map<std::pair<int64_t, int64_t>, std::shared_ptr<const TaskInfo>, Hash> infos_;
  std::unordered_map<int64_t, Names> names_;
  std::unordered_map<int64_t, SharedText> texts_;
  SharedText latest_boot_id_;
  Statement task_, names_of_, text_, boot_;
};

}  // namespace taskmon::storage
