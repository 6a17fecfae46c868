// SPDX-License-Identifier: Apache-2.0
//
// How one process stands with the rules: what was decided of it, when and why, and what came before. Plain data, part
// of the task table's Process; only Admission changes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/rules/rule_set.h"
#include "storage/sample.h"

namespace taskmon::rules {

enum class Outcome : uint8_t {
  kPending = 1,  // not decided yet; recorded as if tracked
  kTracked = 2,
  kBaseline = 3,  // no rule matched
  kDropped = 4,
};

// What made rules be asked.
enum class Occasion : uint8_t {
  kStart = 1,  // it lived when taskmond came
  kBorn = 2,
  kExec = 3,
  kRename = 4,
  kOwner = 5,
  kCgroup = 6,
  kNames = 7,  // its command line, executable, cgroup or user was read
  kConnection = 8,
  kThreshold = 9,
  kHoldOver = 10,
  kRules = 11,
};

// "start", "born", "exec", …
std::string_view OccasionText(Occasion occasion);

inline constexpr uint32_t kNoPlace = UINT32_MAX;

struct Decision {
  uint64_t boot_ns = 0;
  Occasion occasion = Occasion::kStart;
  Outcome outcome = Outcome::kPending;
  RulePtr rule;       // null: none matched
  SharedText detail;  // "cpu 91.3 > 80"
};

struct Standing {
  static constexpr size_t kMostBefore = 8;

  // What every tick looks at comes first: of an idle process it is all that is touched. Admission's own: places among
  // the enabled rules, valid for its generation of rules.
  uint64_t generation = 0;
  std::vector<uint32_t> watched;  // rules that its metrics may make match, ascending
  // Its row, and bits by place in `watched`: while it is the row, idle, those rules do not match and need not be asked.
  const TaskSample* settled_row = nullptr;
  uint64_t settled = 0;
  uint32_t place = kNoPlace;           // of now.rule
  uint32_t identity_place = kNoPlace;  // the first rule that who it is, and what it used, makes match

  Decision now;
  std::vector<Decision> before;     // newest first
  uint64_t hold_until_boot_ns = 0;  // its metrics match no more; 0: they do, or are not asked
  bool names_pending = false;       // a rule that reads names comes before what matches without them
  bool inherited = false;           // has its parent's rule, and has done nothing since that changes who it is
  bool may_match = false;           // one of `watched` tracks, and is not watched by the kernel side itself
  uint32_t forgotten = 0;           // decisions that came before these

  bool tracked() const { return now.outcome == Outcome::kTracked || now.outcome == Outcome::kPending; }
};

}  // namespace taskmon::rules
