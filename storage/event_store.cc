// SPDX-License-Identifier: Apache-2.0
#include "storage/event_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "storage/chunk.h"
#include "storage/event_codec.h"

namespace taskmon::storage {
namespace {

// What only rule decisions, threshold crossings and what is shed have; NULL elsewhere, and NULL costs nothing.
void BindDecision(const Event& event, Statement* insert) {
  event.rule.empty() ? insert->BindNull() : insert->BindText(event.rule);
  const bool crossing = event.type == EventType::kThreshold;
  const bool ends = crossing || event.type == EventType::kRule || event.type == EventType::kDegraded;
  ends ? insert->Bind(event.begins) : insert->BindNull();
  if (!crossing) {
    insert->BindNull().BindNull().BindNull();
    return;
  }
  insert->Bind(int64_t{event.metric}).BindReal(event.value).BindReal(event.baseline);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventStore>> EventStore::Open(Database* db, const MetricBits& stored) {
  std::unique_ptr<EventStore> store(new EventStore(db, stored));
  absl::Status status = store->Prepare();
  if (status.ok()) status = store->Reload();
  if (!status.ok()) return status;
  return store;
}

absl::Status EventStore::Prepare() {
  const std::pair<Statement*, const char*> all[] = {
      {&insert_event_,
       "INSERT INTO event(id, seq, wall_ns, boot_ns, type, wait_status, duration_ns, lost, detail, task, names, final,"
       " rule, begins, metric, value, baseline) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&insert_block_,
       "INSERT INTO event_block(id, last_id, first_seq, last_seq, min_wall_ns, max_wall_ns) VALUES(?, ?, ?, ?, ?, ?)"},
      // A crash may have left the data of a block that is gone.
      {&insert_data_, "INSERT OR REPLACE INTO event_data(id, data) VALUES(?, ?)"},
      {&select_journal_, "SELECT events FROM journal WHERE events IS NOT NULL ORDER BY seq"},
  };
  if (absl::Status status = db_->PrepareAll(all); !status.ok()) return status;
  return times_.Prepare(db_);
}

absl::Status EventStore::Reload() {
  absl::StatusOr<int64_t> last = db_->QueryInt(
      "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0),"
      " coalesce((SELECT max(last_id) FROM event_block), 0), coalesce((SELECT max(last_event) FROM journal), 0))");
  if (!last.ok()) return last.status();
  last_id_ = static_cast<uint64_t>(*last);
  return absl::OkStatus();
}

absl::StatusOr<bool> EventStore::Add(uint64_t seq, const Event& event, int64_t task, int64_t names) {
  ++last_id_;
  if (FitsColumns(event)) return true;
  const std::string final =
      event.final_sample ? EncodeFinalSample(*event.final_sample, event.boot_ns, stored_) : std::string();
  Statement& insert = insert_event_;
  insert.Bind(last_id_).Bind(seq).Bind(event.wall_ns).Bind(event.boot_ns).Bind(static_cast<int>(event.type));
  insert.Bind(event.wait_status).Bind(event.duration_ns).Bind(event.lost).BindText(event.detail);
  if (event.task != nullptr) {
    insert.Bind(task).Bind(names);
  } else {
    insert.BindNull().BindNull();
  }
  event.final_sample != nullptr ? insert.BindBlob(final) : insert.BindNull();
  BindDecision(event, &insert);
  absl::Status status = insert.Run();
  if (!status.ok()) return status;
  return false;
}

absl::Status EventStore::PackBlock(const std::vector<StoredEvent>& events) {
  absl::StatusOr<std::string> data = EncodeEvents(events, stored_, times_.finder(), kFinalLevel);
  if (!data.ok()) return data.status();
  uint64_t first_seq = UINT64_MAX, last_seq = 0;
  int64_t min_wall = INT64_MAX, max_wall = INT64_MIN;
  for (const StoredEvent& stored : events) {
    first_seq = std::min(first_seq, stored.seq);
    last_seq = std::max(last_seq, stored.seq);
    min_wall = std::min(min_wall, stored.event.wall_ns);
    max_wall = std::max(max_wall, stored.event.wall_ns);
  }
  const uint64_t first = events.front().event.id;
  insert_block_.Bind(first).Bind(events.back().event.id).Bind(first_seq).Bind(last_seq).Bind(min_wall).Bind(max_wall);
  absl::Status status = insert_block_.Run();
  return status.ok() ? insert_data_.Bind(first).BindBlob(*data).Run() : status;
}

absl::Status EventStore::Pack(std::vector<StoredEvent> events) {
  for (size_t begin = 0; begin < events.size(); begin += kMaxBlockEvents) {
    const size_t end = std::min(events.size(), begin + kMaxBlockEvents);
    const auto at = [&](size_t i) { return std::make_move_iterator(events.begin() + static_cast<ptrdiff_t>(i)); };
    absl::Status status = PackBlock({at(begin), at(end)});
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status EventStore::PackJournal() {
  std::vector<StoredEvent> events;
  absl::Status status;
  absl::StatusOr<bool> row;
  while (status.ok() && (row = select_journal_.Step()).ok() && *row) {
    status = DecodeEvents(select_journal_.Blob(0), times_.finder(), &events);
    // Whole blocks go at once, so that a storm of births does not lie in memory as a whole.
    if (!status.ok() || events.size() < kMaxBlockEvents) continue;
    std::vector<StoredEvent> full = std::exchange(events, {});
    const size_t rest = full.size() % kMaxBlockEvents;
    events.assign(std::make_move_iterator(full.end() - static_cast<ptrdiff_t>(rest)),
                  std::make_move_iterator(full.end()));
    full.resize(full.size() - rest);
    status = Pack(std::move(full));
  }
  select_journal_.Reset();
  if (status.ok()) status = row.status();
  if (status.ok()) status = Pack(std::move(events));
  return status.ok() ? SaveLastId() : status;
}

// SQLite keeps it only for numbers that had a row.
absl::Status EventStore::SaveLastId() {
  return db_->Exec(fmt::format("INSERT INTO sqlite_sequence(name, seq) SELECT 'event', 0 WHERE NOT EXISTS(SELECT 1 FROM"
                               " sqlite_sequence WHERE name = 'event');"
                               "UPDATE sqlite_sequence SET seq = max(seq, {}) WHERE name = 'event'",
                               last_id_)
                       .c_str());
}

}  // namespace taskmon::storage
