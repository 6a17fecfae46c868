// SPDX-License-Identifier: Apache-2.0
#include "storage/event_columns.h"

#include <memory>
#include <utility>

#include "storage/final_columns.h"

namespace taskmon::storage {
namespace {

using Numbers = std::vector<int64_t>;

// Bits of an event's kind below its type.
constexpr int64_t kAsRow = 1;  // an end as the task's row tells it
constexpr int64_t kHasFinal = 2;
constexpr int kTypeShift = 2;

int64_t Signed(uint64_t v) { return static_cast<int64_t>(v); }

bool IsAsRow(const Event& event, const TaskTimes& times) {
  return event.type == EventType::kExit && times.ended && event.boot_ns == times.exit_boot_ns &&
         event.wall_ns == times.exit_wall_ns && event.wait_status == times.wait_status &&
         event.duration_ns == times.duration_ns;
}

int64_t WallAfter(const Event& event, const TaskTimes& times) {
  return WrapSub(WrapSub(event.wall_ns, Signed(event.boot_ns)), times.wall_offset_ns);
}

struct Columns {
  Numbers ids, seqs, kinds, tasks, names;     // of all
  Numbers boots, walls, statuses, durations;  // of those that are not as the task's row

  void Add(const StoredEvent& stored, const TaskTimes& times) {
    const Event& event = stored.event;
    const bool as_row = IsAsRow(event, times);
    ids.push_back(Signed(event.id));
    seqs.push_back(Signed(stored.seq));
    kinds.push_back(int64_t{static_cast<uint8_t>(event.type)} << kTypeShift |
                    (event.final_sample != nullptr ? kHasFinal : 0) | (as_row ? kAsRow : 0));
    tasks.push_back(stored.task);
    names.push_back(stored.names);
    if (as_row) return;
    boots.push_back(WrapSub(Signed(event.boot_ns), Signed(times.start_ns)));
    walls.push_back(WallAfter(event, times));
    statuses.push_back(event.wait_status);
    durations.push_back(Signed(event.duration_ns));
  }
  size_t CountOfRest() const {
    size_t count = 0;
    for (int64_t kind : kinds) count += (kind & kAsRow) == 0;
    return count;
  }
};

void PutDetails(const std::vector<StoredEvent>& events, ByteWriter* out) {
  ByteWriter list;
  size_t count = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].event.detail.empty()) continue;
    list.Varint(i);
    list.Sized(events[i].event.detail);
    ++count;
  }
  out->Varint(count);
  out->Bytes(list.data());
}

void GetDetails(ByteReader* in, std::vector<StoredEvent>* events, size_t first) {
  for (size_t n = in->Count(in->left()); n > 0 && in->ok(); --n) {
    const uint64_t i = in->Varint();
    const std::string_view detail = in->Sized();
    if (!in->ok() || i >= events->size() - first) return in->Fail();
    (*events)[first + i].event.detail = detail;
  }
}

absl::Status ReadColumns(ByteReader* in, Columns* columns) {
  const size_t count = in->Count(kMaxColumnEvents);
  bool good = in->ok();
  for (Numbers* each : {&columns->ids, &columns->seqs, &columns->kinds, &columns->tasks, &columns->names}) {
    good = good && GetNumbers(count, in, each);
  }
  const size_t rest = columns->CountOfRest();
  for (Numbers* each : {&columns->boots, &columns->walls, &columns->statuses, &columns->durations}) {
    good = good && GetNumbers(rest, in, each);
  }
  return good ? absl::OkStatus() : Damaged("events");
}

// `next`: position in the columns of those that are not as the task's row.
Event Read(const Columns& columns, size_t i, const TaskTimes& times, size_t* next) {
  Event event;
  event.id = static_cast<uint64_t>(columns.ids[i]);
  event.type = static_cast<EventType>(columns.kinds[i] >> kTypeShift);
  if ((columns.kinds[i] & kAsRow) != 0) {
    event.boot_ns = times.exit_boot_ns;
    event.wall_ns = times.exit_wall_ns;
    event.wait_status = times.wait_status;
    event.duration_ns = times.duration_ns;
    return event;
  }
  const int64_t boot_ns = WrapAdd(columns.boots[*next], Signed(times.start_ns));
  event.boot_ns = static_cast<uint64_t>(boot_ns);
  event.wall_ns = WrapAdd(WrapAdd(columns.walls[*next], times.wall_offset_ns), boot_ns);
  event.wait_status = static_cast<int32_t>(columns.statuses[*next]);
  event.duration_ns = static_cast<uint64_t>(columns.durations[*next]);
  ++*next;
  return event;
}

FinalSample FinalOf(const StoredEvent& stored) {
  return {stored.seq, stored.event.boot_ns, Signed(stored.event.duration_ns), nullptr};
}

bool IsKind(int64_t kind) {
  const int64_t type = kind >> kTypeShift;
  return type >= static_cast<int64_t>(EventType::kFork) && type <= static_cast<int64_t>(EventType::kRename) &&
         ((kind & kAsRow) == 0 || type == static_cast<int64_t>(EventType::kExit));
}

}  // namespace

bool FitsColumns(const Event& event) {
  const bool many = event.type == EventType::kFork || event.type == EventType::kExec ||
                    event.type == EventType::kExit || event.type == EventType::kRename;
  return many && event.task != nullptr && event.lost == 0 && event.rule.empty() && event.begins && event.metric == 0;
}

absl::StatusOr<std::string> EncodeEvents(const std::vector<StoredEvent>& events, const MetricBits& stored,
                                         const FindTimes& times, int level) {
  Columns columns;
  std::vector<FinalSample> finals;
  for (const StoredEvent& event : events) {
    absl::StatusOr<TaskTimes> found = times(event.task);
    if (!found.ok()) return found.status();
    columns.Add(event, *found);
    if (event.event.final_sample == nullptr) continue;
    finals.push_back(FinalOf(event));
    finals.back().sample = std::const_pointer_cast<TaskSample>(event.event.final_sample);
  }
  ByteWriter out;
  out.Varint(events.size());
  for (const Numbers* each : {&columns.ids, &columns.seqs, &columns.kinds, &columns.tasks, &columns.names,
                              &columns.boots, &columns.walls, &columns.statuses, &columns.durations}) {
    PutNumbers(*each, &out);
  }
  PutDetails(events, &out);
  PutFinals(finals, stored, &out);
  return EncodeFrame(out.data(), level);
}

absl::Status DecodeEvents(std::string_view bytes, const FindTimes& times, std::vector<StoredEvent>* events) {
  absl::StatusOr<std::string> raw = DecodeFrame(bytes);
  if (!raw.ok()) return raw.status();
  ByteReader in(*raw);
  Columns columns;
  absl::Status status = ReadColumns(&in, &columns);
  if (!status.ok()) return status;
  const size_t first = events->size();
  std::vector<size_t> with_final;
  size_t next = 0;
  for (size_t i = 0; i < columns.ids.size(); ++i) {
    if (!IsKind(columns.kinds[i])) return Damaged("kind of an event");
    absl::StatusOr<TaskTimes> found = times(columns.tasks[i]);
    if (!found.ok()) return found.status();
    StoredEvent& stored = events->emplace_back();
    stored.seq = static_cast<uint64_t>(columns.seqs[i]);
    stored.task = columns.tasks[i];
    stored.names = columns.names[i];
    stored.event = Read(columns, i, *found, &next);
    if ((columns.kinds[i] & kHasFinal) != 0) with_final.push_back(first + i);
  }
  GetDetails(&in, events, first);
  std::vector<FinalSample> finals;
  for (size_t i : with_final) finals.push_back(FinalOf((*events)[i]));
  if (!in.ok() || !GetFinals(&in, &finals) || in.left() != 0) return Damaged("last samples");
  for (size_t i = 0; i < finals.size(); ++i) (*events)[with_final[i]].event.final_sample = finals[i].sample;
  return absl::OkStatus();
}

}  // namespace taskmon::storage
