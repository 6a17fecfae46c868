// SPDX-License-Identifier: Apache-2.0
//
// One filter rule as people write it: which tasks it is about, and what is recorded of them. Plain data; RuleSet holds
// checked ones in order, first match wins.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>

namespace taskmon::rules {

enum class Action : uint8_t {
  kTrack = 1,  // full detail
  kDrop = 2,   // as if it did not exist
};

// Which threads of a tracked process have rows of their own.
struct ThreadDetail {
  enum class Mode : uint8_t { kNone = 1, kTop = 2, kAll = 3 };
  Mode mode = Mode::kAll;
  uint32_t top = 0;  // kTop: the so many that were busiest in the tick

  bool operator==(const ThreadDetail&) const = default;
};

// Bits are numbers of v1::Group. What a rule wants collected: hooks are attached for it while the rule is enabled.
using MetricGroups = std::bitset<32>;

// Every group there is, and what a rule wants that names none: all but `syscall`, whose hook is the dearest.
MetricGroups AllGroups();
MetricGroups DefaultGroups();

struct Rule {
  std::string name;    // unique; letters, digits, - _ and .
  uint32_t order = 0;  // unique, from 1; the smallest is asked first
  std::string expression;
  Action action = Action::kTrack;
  MetricGroups groups = DefaultGroups();
  ThreadDetail threads;
  uint64_t hold_ns = 60'000'000'000;  // how long a task stays with the rule after it last matched
  bool enabled = true;
  std::string note;

  bool operator==(const Rule&) const = default;
};

// What an edit says of a rule: fields that are absent stay as they are, or take their defaults in a new rule.
struct RulePatch {
  std::optional<uint32_t> order;
  std::optional<std::string> expression;
  std::optional<Action> action;
  std::optional<MetricGroups> groups;
  std::optional<ThreadDetail> threads;
  std::optional<uint64_t> hold_ns;
  std::optional<bool> enabled;
  std::optional<std::string> note;
};

}  // namespace taskmon::rules
