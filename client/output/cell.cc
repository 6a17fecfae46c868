// SPDX-License-Identifier: Apache-2.0
#include "client/output/cell.h"

#include <ctime>

#include <fmt/format.h>

#include "client/output/escape.h"
#include "client/output/units.h"
#include "daemon/query/time_spec.h"

namespace taskmon::client {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerMs = 1'000'000;

bool IsMoment(v1::Metric metric) { return metric == v1::TASK_OFFCPU_SINCE || metric == v1::TASK_IOWAIT_SINCE; }

// A boot-clock moment says little to a person; how long ago it was does.
std::string SinceText(int64_t since_boot_ns, const v1::Tick& tick) {
  if (since_boot_ns <= 0) return "0";
  return HumanDuration(static_cast<double>(tick.boot_ns()) - static_cast<double>(since_boot_ns));
}

std::string MetricText(const MetricDesc& metric, const TaskRow& row, bool raw, Marks* marks) {
  const MetricCell cell = row.Get(metric.id);
  if (cell.presence == Presence::kRedacted) {
    marks->redacted = true;
    return "*";
  }
  if (cell.presence != Presence::kPresent) {
    marks->unavailable = true;
    return "-";
  }
  std::string text = raw                   ? PlainNumber(metric, cell.value)
                     : IsMoment(metric.id) ? SinceText(cell.value, *row.tick)
                                           : HumanValue(metric, cell.value);
  if (!cell.age_s) return text;
  marks->stale = true;
  return "~" + text;
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& items) {
  return fmt::format("{}", fmt::join(items, " "));
}

int64_t NumberOf(Attribute attribute, const TaskRow& row) {
  const v1::TaskInfo& info = *row.info;
  switch (attribute) {
    case Attribute::kTimeNs: return row.tick->time_ns();
    case Attribute::kTid: return info.tid();
    case Attribute::kTgid: return info.tgid();
    case Attribute::kPpid: return info.ppid();
    case Attribute::kStartNs: return static_cast<int64_t>(info.start_ns());
    case Attribute::kUid: return info.uid();
    case Attribute::kGid: return info.gid();
    case Attribute::kTasks: return row.sample->group_tasks();
    default: return 0;
  }
}

// One for all rows of a run.
const std::string& ZoneToday() {
  static const std::string zone = LocalZone(std::time(nullptr) * kNsPerSecond);
  return zone;
}

// Attributes that are free text, unescaped.
std::string FreeText(Attribute attribute, const v1::TaskInfo& info) {
  switch (attribute) {
    case Attribute::kComm: return info.comm();
    case Attribute::kCmdline: return info.cmdline();
    case Attribute::kCommand: return CommandText(info);
    case Attribute::kExe: return info.exe();
    case Attribute::kUser: return info.user();
    case Attribute::kApp: return info.app();
    case Attribute::kCgroup: return info.cgroup();
    case Attribute::kUnit: return info.unit();
    case Attribute::kContainer: return info.container();
    case Attribute::kRules: return Joined(info.rules());
    default: return "";
  }
}

// A group of users without a name is told by their number: nothing else in its row tells it from others.
std::string PlainText(Attribute attribute, const TaskRow& row) {
  const bool nameless = attribute == Attribute::kUser && row.info->user().empty() && row.sample->group_tasks() > 0;
  return nameless ? std::to_string(row.info->uid()) : FreeText(attribute, *row.info);
}

int64_t WallTime(Attribute attribute, const TaskRow& row) {
  return attribute == Attribute::kTime ? row.tick->time_ns() : row.info->start_time_ns();
}

// Ticks come faster than the seconds of a clock can tell apart.
bool HasSubsecondTicks(const v1::Tick& tick) {
  return tick.elapsed_ns() > 0 && tick.elapsed_ns() < static_cast<uint64_t>(950 * kNsPerMs);
}

bool Flag(Attribute attribute, const v1::TaskInfo& info) {
  return attribute == Attribute::kTracked ? info.tracked() : info.kthread();
}

enum class Shape { kNumber, kText, kTime, kFlag, kState, kList };

Shape ShapeOf(Attribute attribute) {
  switch (attribute) {
    case Attribute::kTime:
    case Attribute::kStartTime: return Shape::kTime;
    case Attribute::kTimeNs:
    case Attribute::kTid:
    case Attribute::kTgid:
    case Attribute::kPpid:
    case Attribute::kStartNs:
    case Attribute::kUid:
    case Attribute::kTasks:
    case Attribute::kGid: return Shape::kNumber;
    case Attribute::kTracked:
    case Attribute::kKthread: return Shape::kFlag;
    case Attribute::kState: return Shape::kState;
    case Attribute::kRules: return Shape::kList;
    default: return Shape::kText;
  }
}

std::string AttributeText(Attribute attribute, const TaskRow& row, bool raw) {
  switch (ShapeOf(attribute)) {
    case Shape::kNumber: return std::to_string(NumberOf(attribute, row));
    case Shape::kFlag: return Flag(attribute, *row.info) ? "yes" : "no";
    case Shape::kTime: {
      const int64_t time_ns = WallTime(attribute, row);
      if (raw) return query::FormatRfc3339(time_ns);
      return ColumnTime(time_ns, attribute == Attribute::kTime && HasSubsecondTicks(*row.tick));
    }
    default: break;
  }
  // A user without a name is shown by number.
  if (attribute == Attribute::kUser && row.info->user().empty()) return std::to_string(row.info->uid());
  std::string text = TerminalSafe(FreeText(attribute, *row.info));
  // Of groups one is of those that have no such name.
  return text.empty() && row.sample->group_tasks() > 0 ? "(none)" : text;
}

bool CanBeMissing(const Field& field) {
  return field.metric != nullptr || field.attribute == Attribute::kState || field.attribute == Attribute::kCmdline ||
         field.attribute == Attribute::kExe;
}

void ValueKey(const Field& field, const TaskRow& row, JsonObject* object) {
  if (field.attribute == Attribute::kNone) return object->Metric(*field.metric, row.Get(field.metric->id).value);
  const std::string_view key = FieldKey(field);
  switch (ShapeOf(field.attribute)) {
    case Shape::kNumber: return object->Number(key, NumberOf(field.attribute, row));
    case Shape::kFlag: return object->Bool(key, Flag(field.attribute, *row.info));
    case Shape::kTime: return object->Time(key, WallTime(field.attribute, row));
    case Shape::kState:
      return object->String(key, PlainNumber(Describe(v1::TASK_STATE), row.Get(v1::TASK_STATE).value));
    case Shape::kList: return object->Strings(key, row.info->rules());
    case Shape::kText: return object->String(key, PlainText(field.attribute, row));
  }
}

}  // namespace

Presence PresenceOf(const Field& field, const TaskRow& row) {
  const MetricDesc* metric = field.attribute == Attribute::kState ? &Describe(v1::TASK_STATE) : field.metric;
  if (metric != nullptr) {
    const Presence presence = row.Get(metric->id).presence;
    // A daemon that does not know the metric leaves it out.
    return presence == Presence::kNotAsked ? Presence::kUnavailable : presence;
  }
  if (field.attribute == Attribute::kCmdline && row.info->cmdline_redacted()) return Presence::kRedacted;
  if (field.attribute == Attribute::kExe && row.info->exe_redacted()) return Presence::kRedacted;
  return Presence::kPresent;
}

std::string CellText(const Field& field, const TaskRow& row, bool raw, Marks* marks) {
  if (field.attribute == Attribute::kNone) return MetricText(*field.metric, row, raw, marks);
  if (field.attribute == Attribute::kState) return MetricText(Describe(v1::TASK_STATE), row, raw, marks);
  if (PresenceOf(field, row) == Presence::kRedacted) {
    marks->redacted = true;
    return "*";
  }
  return AttributeText(field.attribute, row, raw);
}

std::string CellCsv(const Field& field, const TaskRow& row) {
  if (PresenceOf(field, row) != Presence::kPresent) return "";
  if (field.attribute == Attribute::kNone) return PlainNumber(*field.metric, row.Get(field.metric->id).value);
  switch (ShapeOf(field.attribute)) {
    case Shape::kNumber: return std::to_string(NumberOf(field.attribute, row));
    case Shape::kFlag: return Flag(field.attribute, *row.info) ? "1" : "0";
    case Shape::kTime: return query::FormatRfc3339(WallTime(field.attribute, row));
    case Shape::kState: return PlainNumber(Describe(v1::TASK_STATE), row.Get(v1::TASK_STATE).value);
    default: return CsvField(PlainText(field.attribute, row));
  }
}

void CellKey(const Field& field, const TaskRow& row, JsonObject* object) {
  const bool present = PresenceOf(field, row) == Presence::kPresent;
  if (CanBeMissing(field)) return object->When(present, [&] { ValueKey(field, row, object); });
  ValueKey(field, row, object);
}

std::string CommandText(const v1::TaskInfo& info) {
  if (info.cmdline_redacted()) return info.comm();
  if (info.cmdline().empty()) return "[" + info.comm() + "]";
  const std::string& cmdline = info.cmdline();
  if (cmdline.front() != '/') return cmdline;
  const size_t program_end = std::min(cmdline.find(' '), cmdline.size());
  const size_t folder_end = cmdline.rfind('/', program_end);
  return folder_end + 1 >= program_end ? cmdline : cmdline.substr(folder_end + 1);
}

std::string LocalTime(int64_t wall_ns, bool fraction) {
  std::string text = query::FormatLocal(wall_ns);
  const int64_t ns = (wall_ns % kNsPerSecond + kNsPerSecond) % kNsPerSecond;
  return fraction ? text + fmt::format(".{:03}", ns / kNsPerMs) : text;
}

std::string LocalZone(int64_t wall_ns) {
  const std::time_t seconds = wall_ns / kNsPerSecond - (wall_ns % kNsPerSecond < 0 ? 1 : 0);
  std::tm local{};
  localtime_r(&seconds, &local);
  return local.tm_zone == nullptr ? "local" : local.tm_zone;
}

std::string TimeHeader(const std::string& name) { return fmt::format("{} ({})", name, ZoneToday()); }

std::string ColumnTime(int64_t wall_ns, bool fraction) {
  const std::string zone = LocalZone(wall_ns);
  return zone == ZoneToday() ? LocalTime(wall_ns, fraction) : LocalTime(wall_ns, fraction) + " " + zone;
}

}  // namespace taskmon::client
