// SPDX-License-Identifier: Apache-2.0
#include "storage/event_pages.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "storage/codec.h"

namespace taskmon::storage {
namespace {

constexpr int64_t kColumnsFrom = 3;  // the format that has events in columns

}  // namespace

absl::Status EventPages::Prepare() {
  absl::StatusOr<int64_t> version = db_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  any_ = *version >= kColumnsFrom;
  if (!any_) return absl::OkStatus();
  const std::pair<Statement*, const char*> all[] = {
      {&find_block_,
       "SELECT id, last_id FROM event_block WHERE last_id > ? AND max_wall_ns >= ? AND min_wall_ns <= ?"
       " ORDER BY id LIMIT 1"},
      {&read_block_, "SELECT data FROM event_data WHERE id = ?"},
      {&read_journal_,
       "SELECT events, last_event FROM journal WHERE last_event > ? AND events IS NOT NULL ORDER BY seq"},
  };
  if (absl::Status status = db_->PrepareAll(all); !status.ok()) return status;
  return times_.Prepare(db_);
}

absl::Status EventPages::ReadBlock(int64_t id, uint64_t last_id) {
  if (block_ == id) return absl::OkStatus();
  block_ = 0;
  page_ = {{}, last_id};
  ResetAtEnd reset(&read_block_);
  absl::StatusOr<bool> row = read_block_.Bind(id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return Damaged(fmt::format("events from {} are missing", id));
  absl::Status status = DecodeEvents(read_block_.Blob(0), times_.finder(), &page_.events);
  if (status.ok()) block_ = id;
  return status;
}

absl::Status EventPages::ReadJournal(uint64_t after_id) {
  block_ = 0;
  page_ = Page();
  ResetAtEnd reset(&read_journal_);
  read_journal_.Bind(after_id);
  absl::StatusOr<bool> row;
  while ((row = read_journal_.Step()).ok() && *row) {
    absl::Status status = DecodeEvents(read_journal_.Blob(0), times_.finder(), &page_.events);
    if (!status.ok()) return status;
    if (page_.events.size() < kMaxBlockEvents) continue;
    page_.last_id = static_cast<uint64_t>(read_journal_.Int(1));
    break;
  }
  return row.status();
}

absl::StatusOr<const EventPages::Page*> EventPages::Next(uint64_t after_id, int64_t begin_wall_ns,
                                                         int64_t end_wall_ns) {
  if (!any_) return &page_;
  int64_t block = 0;
  uint64_t last_id = 0;
  {
    ResetAtEnd reset(&find_block_);
    absl::StatusOr<bool> row = find_block_.Bind(after_id).Bind(begin_wall_ns).Bind(end_wall_ns).Step();
    if (!row.ok()) return row.status();
    if (*row) block = find_block_.Int(0), last_id = static_cast<uint64_t>(find_block_.Int(1));
  }
  absl::Status status = block != 0 ? ReadBlock(block, last_id) : ReadJournal(after_id);
  if (!status.ok()) return status;
  return &page_;
}

}  // namespace taskmon::storage
