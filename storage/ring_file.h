// SPDX-License-Identifier: Apache-2.0
//
// One history file open for writing: what RingWriter does, short of the lock and of setting damaged files aside. Owned
// by the RingWriter, on its thread. DataLoss from any call means that the file is damaged and of no more use.
//
// State of the open chunk: `entries_` mirrors the tick before, row by row. It, the task table's cache and the journal
// numbering are trusted only while every transaction succeeds; after a failure they are forgotten, and the next tick is
// written complete.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/chunk_store.h"
#include "storage/event_store.h"
#include "storage/journal.h"
#include "storage/retention.h"
#include "storage/ring_writer.h"
#include "storage/sqlite_db.h"
#include "storage/task_table.h"

namespace taskmon::storage {

class RingFile {
 public:
  explicit RingFile(const RingOptions& options) : options_(options) {}

  // Creates or continues the file, and closes the chunk that a crash left open.
  absl::Status Open();
  uint64_t last_tick_seq() const { return last_seq_; }
  absl::Status Append(const Snapshot& snapshot, std::vector<Event>* events);
  absl::Status AddPast(const std::vector<PastTick>& ticks);
  absl::Status Close();
  RingStats stats() const;

 private:
  // One row of the tick before.
  struct Entry {
    std::shared_ptr<const TaskSample> sample;
    TaskIds ids;
    uint32_t row = 0;
  };

  absl::Status PrepareStatements();
  absl::Status LoadState();
  absl::Status SwitchBoot(const Snapshot& snapshot);
  absl::Status TryAppend(const Snapshot& snapshot, std::vector<Event>* events);
  absl::Status RetryAppend(uint64_t want, const Snapshot& snapshot, std::vector<Event>* events);
  absl::Status WriteTick(const Snapshot& snapshot, std::vector<Event>* events);
  absl::Status WriteRows(const Snapshot& snapshot);
  absl::Status WriteRow(const std::shared_ptr<const TaskSample>& sample, Entry* before);
  absl::StatusOr<std::string> WriteEvents(const Snapshot& snapshot, std::vector<Event>* events);
  absl::Status RetireNames();
  absl::Status EndRow(const Entry& entry, uint64_t seq);
  Entry* Match(const std::shared_ptr<const TaskSample>& sample, size_t* next);
  absl::Status CheckPast(const std::vector<PastTick>& ticks) const;
  absl::Status WritePast(const std::vector<PastTick>& ticks);
  void AfterTick(const Snapshot& snapshot);
  void ForgetState();
  bool ChunkIsFull() const;
  absl::Status CloseChunk();
  absl::StatusOr<std::vector<JournalEntry>> ReadJournal();
  absl::Status Tidy();
  bool MinuteEnds() const;
  void RefreshOldest();

  const RingOptions options_;
  Database db_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<TaskTable> tasks_;
  std::unique_ptr<EventStore> events_;
  std::unique_ptr<ChunkStore> chunks_;
  CounterSet counters_;
  MetricBits stored_;
  Statement insert_journal_, select_journal_;

  // The open chunk.
  JournalWriter journal_;
  UpdateContext context_;
  ByteWriter body_;
  std::vector<Entry> entries_, next_entries_;
  bool begin_chunk_ = true;  // the next tick is complete
  bool known_boot_ = false;  // tasks_ stands at boot_id_
  std::string boot_id_;
  int64_t boot_ = 0;
  uint32_t open_ticks_ = 0;
  uint32_t closed_ticks_ = 0;  // of the chunk closed last
  uint32_t close_at_ = 0;      // after a failure to close: not before so many ticks
  uint64_t open_bytes_ = 0;
  uint64_t open_used_bytes_ = 0;  // pages in use when the chunk began
  uint64_t last_tick_bytes_ = 0;

  uint64_t last_seq_ = 0;
  int64_t oldest_wall_ns_ = 0;
  int64_t newest_wall_ns_ = 0;
  int64_t interval_ns_ = 0;
};

}  // namespace taskmon::storage
