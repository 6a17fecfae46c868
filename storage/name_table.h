// SPDX-License-Identifier: Apache-2.0
//
// The writer's view of the tables `names` and `text`: what tasks are called, each set of names and each string once.
// Owned by the writer's thread; every call runs inside the writer's transaction.
//
// Life of a row:   first used -> known here (last_seq NULL) -> unused for long: retired (last_seq set), and made anew
// should it come back -> retention deletes it with the ticks that it was used in.
// After a rollback call Forget: what is known is read back.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/sample.h"
#include "storage/sqlite_db.h"

namespace taskmon::storage {

// What the row of a task says of it, so that its names need not.
struct TaskFacts {
  TaskKey key;
  int32_t ppid = 0;  // these as they were at first
  int32_t tgid = 0;
  uint64_t process_start_ns = 0;
  int64_t start_wall_ns = 0;
};

class NameTable {
 public:
  static absl::StatusOr<std::unique_ptr<NameTable>> Open(Database* db);

  // `seen`: the task is in the tick, not only in its events.
  absl::StatusOr<int64_t> Find(const TaskInfo& info, const TaskFacts& facts, uint64_t seq, bool seen);
  // Retires what neither `in_use` has nor has been asked for since `unused_since`. `seq`: the newest tick.
  absl::Status Retire(const std::unordered_set<int64_t>& in_use, uint64_t unused_since, uint64_t seq);
  void Forget() { loaded_ = false; }

 private:
  static constexpr size_t kTexts = 9;
  using TextIds = std::array<int64_t, kTexts>;  // 0: empty
  struct Text {
    int64_t id = 0;
    bool seen = false;
  };
  struct Names {
    int64_t id = 0;
    bool seen = false;
    uint64_t used_seq = 0;
    TextIds texts{};
  };

  explicit NameTable(Database* db) : db_(db) {}
  absl::Status Prepare();
  absl::Status Load();
  absl::StatusOr<int64_t> FindText(const std::string& text, bool seen);
  absl::StatusOr<TextIds> FindTexts(const TaskInfo& info, bool seen);
  absl::Status Insert(const TaskInfo& info, const TaskFacts& facts, bool seen, Names* names);
  absl::Status RetireTexts(uint64_t seq);

  Database* const db_;
  bool loaded_ = false;
  std::unordered_map<std::string, Names> names_;  // by all that a row has, texts as their numbers
  std::unordered_map<std::string, Text> texts_;
  Statement insert_names_, insert_text_, see_names_, see_text_, retire_names_, retire_text_;
};

// Rule names hold no line breaks (the rule store refuses them).
std::string JoinRules(const std::vector<std::string>& rules);
std::vector<std::string> SplitRules(std::string_view text);

}  // namespace taskmon::storage
