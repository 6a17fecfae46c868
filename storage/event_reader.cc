// SPDX-License-Identifier: Apache-2.0
#include "storage/event_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "storage/event_codec.h"

namespace taskmon::storage {
namespace {

constexpr int kEventPage = 256;

}  // namespace

absl::Status EventReader::Prepare() {
  absl::StatusOr<int64_t> version = db_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const std::string events = fmt::format(
      "SELECT id, type, wall_ns, boot_ns, wait_status, duration_ns, lost, detail, info, final, {} FROM event"
      " WHERE id > ? AND id <= ? AND +wall_ns BETWEEN ? AND ? AND (1 << type) & ? ORDER BY id LIMIT ?",
      *version >= 2 ? "rule, begins, metric, value, baseline" : "NULL, NULL, NULL, NULL, NULL");
  absl::StatusOr<Statement> prepared = db_->Prepare(events);
  if (!prepared.ok()) return prepared.status();
  events_ = *std::move(prepared);
  prepared = db_->Prepare("SELECT min(id), max(id) FROM event INDEXED BY event_by_wall WHERE wall_ns BETWEEN ? AND ?");
  if (!prepared.ok()) return prepared.status();
  range_ = *std::move(prepared);
  return absl::OkStatus();
}

absl::StatusOr<Event> EventReader::Read() {
  Event event;
  event.id = static_cast<uint64_t>(events_.Int(0));
  event.type = static_cast<EventType>(events_.Int(1));
  event.wall_ns = events_.Int(2);
  event.boot_ns = static_cast<uint64_t>(events_.Int(3));
  event.wait_status = static_cast<int32_t>(events_.Int(4));
  event.duration_ns = static_cast<uint64_t>(events_.Int(5));
  event.lost = static_cast<uint64_t>(events_.Int(6));
  event.detail = events_.Text(7);
  if (!events_.IsNull(8)) {
    absl::StatusOr<std::shared_ptr<const TaskInfo>> info = infos_->Find(events_.Int(8));
    if (!info.ok()) return info.status();
    event.task = *std::move(info);
  }
  if (!events_.IsNull(9)) {
    absl::StatusOr<std::shared_ptr<TaskSample>> sample = DecodeFinalSample(events_.Blob(9), event.boot_ns);
    if (!sample.ok()) return sample.status();
    (*sample)->info = event.task;
    event.final_sample = *std::move(sample);
  }
  event.rule = events_.Text(10);
  event.begins = events_.IsNull(11) || events_.Int(11) != 0;
  if (event.type != EventType::kThreshold) return event;
  event.metric = static_cast<MetricId>(events_.Int(12));
  event.value = events_.Real(13);
  event.baseline = events_.Real(14);
  return event;
}

absl::StatusOr<std::vector<Event>> EventReader::Page(int64_t begin, int64_t end, uint32_t types, uint64_t after_id,
                                                     uint64_t last_id) {
  infos_->Trim();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  ResetAtEnd reset(&events_);
  events_.Bind(after_id).Bind(last_id).Bind(begin).Bind(end).Bind(types).Bind(kEventPage);
  std::vector<Event> events;
  absl::StatusOr<bool> row;
  while ((row = events_.Step()).ok() && *row) {
    absl::StatusOr<Event> event = Read();
    if (!event.ok()) return event.status();
    events.push_back(*std::move(event));
  }
  if (!row.ok()) return row.status();
  return events;
}

absl::Status EventReader::Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                               const RingReader::EventSink& sink) {
  uint64_t after = 0, last = 0;
  {
    ResetAtEnd reset(&range_);
    absl::StatusOr<bool> row = range_.Bind(begin_wall_ns).Bind(end_wall_ns).Step();
    if (!row.ok()) return row.status();
    if (range_.IsNull(0)) return absl::OkStatus();
    after = std::max(filter.after_id, static_cast<uint64_t>(range_.Int(0)) - 1);
    last = static_cast<uint64_t>(range_.Int(1));
  }
  while (after < last) {
    absl::StatusOr<std::vector<Event>> page = Page(begin_wall_ns, end_wall_ns, filter.types, after, last);
    if (!page.ok()) return page.status();
    if (page->empty()) break;
    for (const Event& event : *page) {
      if (!sink(event)) return absl::OkStatus();
    }
    after = page->back().id;
  }
  return absl::OkStatus();
}

}  // namespace taskmon::storage
