// SPDX-License-Identifier: Apache-2.0
#include "client/output/life_text.h"

#include <vector>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/event_text.h"
#include "client/output/table.h"
#include "client/output/units.h"

namespace taskmon::client {
namespace {

constexpr int kListedChildren = 20;

template <typename Message>
std::string EndText(const Message& life) {
  if (!life.ended()) return "alive";
  if (life.ended_time_ns() == 0) return "ended, nobody saw how";
  const std::string lived = ", lived " + HumanDuration(static_cast<double>(life.duration_ns()));
  if (life.exit_signal() != 0) return "killed by " + SignalName(life.exit_signal()) + lived;
  return fmt::format("exit {}{}", life.exit_code(), lived);
}

std::string Named(const v1::TaskInfo& info) { return fmt::format("{} {}", info.tid(), TerminalSafe(info.comm())); }

std::string ChildLine(const v1::Relative& child) {
  return fmt::format("  {}  {}  {}  {}\n", LocalTime(child.task().start_time_ns(), false), Named(child.task()),
                     EndText(child), TerminalSafe(CommandText(child.task())));
}

template <typename Message>
void EndKeys(const Message& life, JsonObject* object) {
  const bool seen = life.ended_time_ns() != 0;
  const bool killed = life.exit_signal() != 0;
  object->When(seen, [&] { object->Time("ended_time", life.ended_time_ns()); });
  object->When(seen && killed, [&] { object->Number("exit_signal", life.exit_signal()); });
  object->When(seen && !killed, [&] { object->Number("exit_code", life.exit_code()); });
  object->When(seen, [&] { object->Number("duration_ns", life.duration_ns()); });
}

void RelativeKeys(const v1::Relative& relative, JsonObject* object) {
  const v1::TaskInfo& info = relative.task();
  object->Number("tid", info.tid());
  object->String("comm", info.comm());
  object->When(!info.cmdline_redacted(), [&] { object->String("cmdline", info.cmdline()); });
  object->Time("start_time", info.start_time_ns());
  object->Number("start_ns", info.start_ns());
  object->Bool("ended", relative.ended());
  EndKeys(relative, object);
}

}  // namespace

std::string LifeText(const v1::Life& life, const Terminal& terminal) {
  std::string text = "\nLife\n";
  if (life.ended())
    text += fmt::format("  ended      {}{}\n", EndText(life), life.core_dumped() ? ", core dumped" : "");
  if (life.has_parent()) {
    text += fmt::format("  parent     {}, {}\n", Named(life.parent().task()), EndText(life.parent()));
  }
  if (life.other_lives() > 0) {
    text += fmt::format("  others     {} more tasks had this number; --at chooses\n", life.other_lives());
  }
  const uint64_t children = static_cast<uint64_t>(life.children_size()) + life.more_children();
  if (children > 0) text += fmt::format("  children   {}\n", Thousands(children));
  if (text.size() == 6) return "";
  for (int i = 0; i < life.children_size() && i < kListedChildren; ++i) {
    const std::string line = ChildLine(life.children(i));
    text += terminal.width == 0 ? line : Cut(line.substr(0, line.size() - 1), terminal.width) + "\n";
  }
  if (children > kListedChildren) text += fmt::format("  … and {} more\n", Thousands(children - kListedChildren));
  return text;
}

void LifeKeys(const v1::Life& life, JsonObject* object) {
  EndKeys(life, object);
  object->When(life.has_parent(), [&] { object->Object("parent", life.parent(), RelativeKeys); });
  object->Array("children", life.children(), RelativeKeys);
  object->When(life.more_children() > 0, [&] { object->Number("more_children", life.more_children()); });
  object->When(life.other_lives() > 0, [&] { object->Number("other_lives", life.other_lives()); });
}

}  // namespace taskmon::client
