// SPDX-License-Identifier: Apache-2.0
#include "storage/cutter.h"

#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "storage/anonymizer.h"
#include "storage/event_feed.h"
#include "storage/ring_reader.h"
#include "storage/schema.h"
#include "storage/sqlite_db.h"
#include "storage/time_text.h"

namespace taskmon::storage {
namespace {

constexpr size_t kMaxNames = 50000;

void RemoveFiles(const std::string& path) {
  // Not all of them are there, and what cannot be removed is found by the next to make a file there.
  for (const char* suffix : {"", "-wal", "-shm", "-journal", ".lock"}) (void)unlink((path + suffix).c_str());
}

class Cutter {
 public:
  Cutter(const CutOptions& options, std::unique_ptr<RingReader> reader, std::unique_ptr<RingReader> events,
         std::unique_ptr<RingWriter> writer)
      : options_(options),
        reader_(std::move(reader)),
        events_(std::move(events)),
        feed_(events_.get(), {options.begin_wall_ns, options.end_wall_ns}, EventFilter().types),
        writer_(std::move(writer)) {}

  absl::StatusOr<CutResult> Run();

 private:
  absl::Status Take(const Snapshot& snapshot);
  absl::Status Write(int64_t events_to_wall_ns);
  absl::Status ReadEvents(int64_t to_wall_ns, std::vector<Event>* events);
  std::shared_ptr<const TaskInfo> Names(const std::shared_ptr<const TaskInfo>& info);
  std::shared_ptr<const TaskSample> Row(const std::shared_ptr<const TaskSample>& row);
  void HideValues(Event* event) const;
  absl::Status Fold();

  const CutOptions& options_;
  const std::unique_ptr<RingReader> reader_, events_;
  EventFeed feed_;
  std::unique_ptr<RingWriter> writer_;
  Anonymizer anonymizer_;
  std::unordered_map<std::shared_ptr<const TaskInfo>, std::shared_ptr<const TaskInfo>> names_;
  // Rows of the tick before: what did not change stays the same row.
  std::unordered_map<std::shared_ptr<const TaskSample>, std::shared_ptr<const TaskSample>> rows_, next_rows_;
  Snapshot waiting_;  // until it is known whether it is the last, which the events after it go with
  bool any_ = false;
  CutResult result_;
};

std::shared_ptr<const TaskInfo> Cutter::Names(const std::shared_ptr<const TaskInfo>& info) {
  if (names_.size() > kMaxNames) names_.clear();
  auto [at, is_new] = names_.try_emplace(info);
  if (!is_new) return at->second;
  at->second = info;
  if (options_.hide_names) {
    auto hidden = std::make_shared<TaskInfo>(*info);
    options_.hide_names(hidden.get());
    at->second = std::move(hidden);
  }
  if (options_.anonymize) at->second = anonymizer_.Info(at->second);
  return at->second;
}

std::shared_ptr<const TaskSample> Cutter::Row(const std::shared_ptr<const TaskSample>& row) {
  std::shared_ptr<const TaskSample>& kept = next_rows_[row];
  if (auto at = rows_.find(row); at != rows_.end()) return kept = at->second;
  auto changed = std::make_shared<TaskSample>(*row);
  changed->info = Names(row->info);
  if (options_.hidden_metrics) {
    const MetricSet hidden = options_.hidden_metrics(*row->info);
    changed->valid &= ~hidden;
    for (size_t metric = 0; metric < kMetricSlots; ++metric) {
      if (hidden[metric]) changed->taken_boot_ns.Set(metric, 0);
    }
  }
  return kept = std::move(changed);
}

// What a decision or a crossing says of a metric is guarded as the metric is.
void Cutter::HideValues(Event* event) const {
  if (!options_.hidden_metrics) return;
  const MetricSet hidden = options_.hidden_metrics(*event->task);
  if (hidden.none()) return;
  if (event->type == EventType::kRule) event->detail.clear();
  if (event->metric < kMetricSlots && hidden[event->metric]) event->value = event->baseline = 0;
}

absl::Status Cutter::ReadEvents(int64_t to_wall_ns, std::vector<Event>* events) {
  return feed_.Until(to_wall_ns, [&](const Event& event) {
    Event& kept = events->emplace_back(event);
    kept.id = 0;
    if (kept.task != nullptr) HideValues(&kept);
    if (kept.task != nullptr) kept.task = Names(event.task);
    if (kept.final_sample != nullptr) kept.final_sample = Row(event.final_sample);
    if (options_.anonymize) anonymizer_.Hide(&kept);
    return absl::OkStatus();
  });
}

absl::Status Cutter::Write(int64_t events_to_wall_ns) {
  std::vector<Event> events;
  absl::Status status = ReadEvents(events_to_wall_ns, &events);
  if (status.ok()) status = writer_->Append(waiting_, &events);
  if (!status.ok()) return status;
  if (++result_.ticks == 1) result_.begin_wall_ns = waiting_.tick.wall_ns;
  result_.end_wall_ns = waiting_.tick.wall_ns;
  result_.events += events.size();
  if (writer_->stats().chunks_dropped > 0) {
    return absl::ResourceExhaustedError(
        fmt::format("the stretch takes more than {} bytes; choose a shorter one", options_.max_bytes));
  }
  return absl::OkStatus();
}

absl::Status Cutter::Take(const Snapshot& snapshot) {
  if (options_.go_on && !options_.go_on(snapshot.tick.wall_ns)) return absl::CancelledError("the receiver is gone");
  if (any_) {
    absl::Status status = Write(waiting_.tick.wall_ns);
    if (!status.ok()) return status;
  }
  any_ = true;
  next_rows_.clear();
  waiting_ = snapshot;
  for (auto& row : waiting_.tasks) row = Row(row);
  rows_.swap(next_rows_);
  return absl::OkStatus();
}

// One file, without the companions that a writer needs, and without the pages that the journal left.
absl::Status Cutter::Fold() {
  absl::Status status = writer_->Close();
  writer_ = nullptr;
  if (!status.ok()) return status;
  absl::StatusOr<Database> db = Database::Open(options_.output, Database::Mode::kReadWriteCreate);
  if (!db.ok()) return db.status();
  absl::StatusOr<std::optional<Receiver>> receiver = reader_->MadeFor();
  if (!receiver.ok()) return receiver.status();
  if (options_.receiver) *receiver = options_.receiver;
  if (receiver->has_value()) {
    if (options_.anonymize) (*receiver)->uid = anonymizer_.User((*receiver)->uid);
    status = SaveReceiver(&*db, **receiver);
  }
  // Gives the pages back without a copy of the file, for which there may be no room.
  return status.ok() ? db->Exec("PRAGMA journal_mode=DELETE; PRAGMA incremental_vacuum") : status;
}

absl::StatusOr<CutResult> Cutter::Run() {
  absl::Status status;
  absl::Status scanned = reader_->Scan(options_.begin_wall_ns, options_.end_wall_ns, {}, [&](const Snapshot& snapshot) {
    status = Take(snapshot);
    return status.ok();
  });
  if (status.ok()) status = scanned;
  if (status.ok() && !any_) {
    return absl::OutOfRangeError(fmt::format("nothing was recorded from {} to {}", TimeText(options_.begin_wall_ns),
                                             TimeText(options_.end_wall_ns)));
  }
  if (status.ok()) status = Write(options_.end_wall_ns);
  if (status.ok()) status = Fold();
  if (!status.ok()) return status;
  struct stat st {};
  if (stat(options_.output.c_str(), &st) == 0) result_.bytes = static_cast<uint64_t>(st.st_size);
  return result_;
}

}  // namespace

absl::StatusOr<CutResult> Cut(const CutOptions& options) {
  if (access(options.output.c_str(), F_OK) == 0) {
    return absl::AlreadyExistsError(fmt::format("{} is there already", options.output));
  }
  absl::StatusOr<std::unique_ptr<RingReader>> reader = RingReader::Open(options.source, options.columns);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::unique_ptr<RingReader>> events = RingReader::Open(options.source, options.columns);
  if (!events.ok()) return events.status();
  RingOptions ring;
  ring.path = options.output;
  ring.cap_bytes = options.max_bytes;
  ring.max_age_ns = INT64_MAX / 2;
  ring.columns = options.columns;
  ring.coarser = false;
  ring.durable = false;
  absl::StatusOr<std::unique_ptr<RingWriter>> writer = RingWriter::Open(ring);
  if (!writer.ok()) return writer.status();
  absl::StatusOr<CutResult> result = Cutter(options, *std::move(reader), *std::move(events), *std::move(writer)).Run();
  if (result.ok()) {
    (void)unlink((options.output + ".lock").c_str());  // of no use to anybody
  } else {
    RemoveFiles(options.output);
  }
  return result;
}

}  // namespace taskmon::storage
