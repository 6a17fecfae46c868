// SPDX-License-Identifier: Apache-2.0
#include "storage/event_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "storage/event_codec.h"

namespace taskmon::storage {
namespace {

constexpr size_t kRowsInPage = 256;

constexpr uint32_t Bit(EventType type) { return 1u << static_cast<int>(type); }
constexpr uint32_t kTypesInColumns =
    Bit(EventType::kFork) | Bit(EventType::kExec) | Bit(EventType::kExit) | Bit(EventType::kRename);

}  // namespace

absl::Status EventReader::Prepare() {
  absl::StatusOr<int64_t> version = db_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const std::string rows = fmt::format(
      "SELECT id, type, wall_ns, boot_ns, wait_status, duration_ns, lost, detail, {}, final, {} FROM event"
      " WHERE id > ? AND id <= ? AND wall_ns BETWEEN ? AND ? AND (1 << type) & ? ORDER BY id LIMIT {}",
      *version >= 3 ? "task, names" : "0, info",
      *version >= 2 ? "rule, begins, metric, value, baseline" : "NULL, NULL, NULL, NULL, NULL", kRowsInPage);
  const std::pair<Statement*, std::string> all[] = {
      {&rows_, rows},
      {&newest_, *version >= 3 ? "SELECT max(coalesce((SELECT max(id) FROM event), 0), coalesce((SELECT max(last_id)"
                                 " FROM event_block), 0), coalesce((SELECT max(last_event) FROM journal), 0))"
                               : "SELECT coalesce(max(id), 0) FROM event"},
  };
  if (absl::Status status = db_->PrepareAll(all); !status.ok()) return status;
  return pages_.Prepare();
}

absl::StatusOr<Event> EventReader::ReadRow() {
  Event event;
  event.id = static_cast<uint64_t>(rows_.Int(0));
  event.type = static_cast<EventType>(rows_.Int(1));
  event.wall_ns = rows_.Int(2);
  event.boot_ns = static_cast<uint64_t>(rows_.Int(3));
  event.wait_status = static_cast<int32_t>(rows_.Int(4));
  event.duration_ns = static_cast<uint64_t>(rows_.Int(5));
  event.lost = static_cast<uint64_t>(rows_.Int(6));
  event.detail = rows_.Text(7);
  if (!rows_.IsNull(9)) {
    absl::StatusOr<std::shared_ptr<const TaskInfo>> info = infos_->Find(rows_.Int(8), rows_.Int(9));
    if (!info.ok()) return info.status();
    event.task = *std::move(info);
  }
  if (!rows_.IsNull(10)) {
    absl::StatusOr<std::shared_ptr<TaskSample>> sample = DecodeFinalSample(rows_.Blob(10), event.boot_ns);
    if (!sample.ok()) return sample.status();
    (*sample)->info = event.task;
    event.final_sample = *std::move(sample);
  }
  event.rule = rows_.Text(11);
  event.begins = rows_.IsNull(12) || rows_.Int(12) != 0;
  if (event.type != EventType::kThreshold) return event;
  event.metric = static_cast<MetricId>(rows_.Int(13));
  event.value = rows_.Real(14);
  event.baseline = rows_.Real(15);
  return event;
}

absl::Status EventReader::ReadRows(const Question& question, uint64_t after_id, Page* page) {
  ResetAtEnd reset(&rows_);
  rows_.Bind(after_id).Bind(page->last_id).Bind(question.begin_wall_ns).Bind(question.end_wall_ns);
  rows_.Bind(question.types);
  absl::StatusOr<bool> row;
  while ((row = rows_.Step()).ok() && *row) {
    absl::StatusOr<Event> event = ReadRow();
    if (!event.ok()) return event.status();
    page->events.push_back(*std::move(event));
  }
  if (page->events.size() == kRowsInPage) page->last_id = page->events.back().id;
  return row.status();
}

absl::Status EventReader::AddColumns(const Question& question, uint64_t after_id, Page* page) {
  absl::StatusOr<const EventPages::Page*> columns = pages_.Next(after_id, question.begin_wall_ns, question.end_wall_ns);
  if (!columns.ok()) return columns.status();
  page->last_id = std::min(page->last_id, (*columns)->last_id);
  std::erase_if(page->events, [&](const Event& event) { return event.id > page->last_id; });
  for (const StoredEvent& stored : (*columns)->events) {
    const Event& event = stored.event;
    if (event.id <= after_id || event.id > page->last_id || event.wall_ns < question.begin_wall_ns ||
        event.wall_ns > question.end_wall_ns || (Bit(event.type) & question.types) == 0) {
      continue;
    }
    absl::StatusOr<std::shared_ptr<const TaskInfo>> info = infos_->Find(stored.task, stored.names);
    if (!info.ok()) return info.status();
    Event& added = page->events.emplace_back(event);
    added.task = *info;
    if (event.final_sample == nullptr) continue;
    auto sample = std::make_shared<TaskSample>(*event.final_sample);
    sample->info = *std::move(info);
    added.final_sample = std::move(sample);
  }
  std::sort(page->events.begin(), page->events.end(), [](const Event& a, const Event& b) { return a.id < b.id; });
  return absl::OkStatus();
}

absl::StatusOr<EventReader::Page> EventReader::Next(const Question& question, uint64_t after_id) {
  infos_->Trim();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(db_, Transaction::Kind::kRead);
  if (!transaction.ok()) return transaction.status();
  Page page{{}, question.last_id};
  absl::Status status = ReadRows(question, after_id, &page);
  if (status.ok() && (question.types & kTypesInColumns) != 0) status = AddColumns(question, after_id, &page);
  if (!status.ok()) return status;
  return page;
}

absl::StatusOr<uint64_t> EventReader::NewestId() {
  ResetAtEnd reset(&newest_);
  absl::StatusOr<bool> row = newest_.Step();
  if (!row.ok()) return row.status();
  return static_cast<uint64_t>(newest_.Int(0));
}

absl::Status EventReader::Scan(int64_t begin_wall_ns, int64_t end_wall_ns, const EventFilter& filter,
                               const RingReader::EventSink& sink) {
  absl::StatusOr<uint64_t> newest = NewestId();
  if (!newest.ok()) return newest.status();
  const Question question{begin_wall_ns, end_wall_ns, filter.types, std::min(*newest, filter.until_id)};
  for (uint64_t after = filter.after_id; after < question.last_id;) {
    absl::StatusOr<Page> page = Next(question, after);
    if (!page.ok()) return page.status();
    for (const Event& event : page->events) {
      if (!sink(event)) return absl::OkStatus();
    }
    if (page->last_id <= after) return Damaged("event numbers");
    after = page->last_id;
  }
  return absl::OkStatus();
}

}  // namespace taskmon::storage
