// SPDX-License-Identifier: Apache-2.0
//
// What differs between two rule sets, rule by rule and field by field: what an edit shows and how it is summed up.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/rules/rule_set.h"

namespace taskmon::rules {

struct FieldChange {
  const char* field;   // name in the rule file
  std::string before;  // empty for an added rule
  std::string after;
};

struct RuleChange {
  enum class Kind { kAdded, kChanged, kRemoved };
  Kind kind;
  RulePtr rule;  // as it is after the edit; removed: as it was
  std::vector<FieldChange> fields;

  bool Touches(std::string_view field) const;
};

// Added and changed ones by their new order, then removed ones.
std::vector<RuleChange> Diff(const RuleSet& before, const RuleSet& after);

// "added nginx"; "changed nginx: expr, hold"; "added 4998, changed 2 and removed 1 rules"; at most about 200 bytes.
std::string Summary(const std::vector<RuleChange>& changes);

// What an editor should know of the rules that the edit touched, one line each: they are valid, but …
std::vector<std::string> Warnings(const RuleSet& after, const std::vector<RuleChange>& changes);

}  // namespace taskmon::rules
