// SPDX-License-Identifier: Apache-2.0
//
// Rules as a TOML file, for `rule export` and `rule apply`:
//
//   [[rule]]
//   name = "web"
//   order = 20                        # left out: 10 after the one before
//   expr = 'comm == nginx || app == apache'
//   action = "track"                  # or "drop"
//   groups = ["all", "-syscall"]      # or one text, as on the command line
//   threads = "top:5"
//   hold = "1m"
//   enabled = true
//   note = "the front end"
//
// name and expr must be there. A file without any rule is refused, lest a truncated one remove them all; `rule = []`
// says that none are wanted. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "daemon/rules/rule_set.h"

namespace taskmon::rules {

// Rules as a file has them: read, but not yet checked together.
struct ParsedRules {
  std::vector<Rule> rules;
  std::vector<uint32_t> lines;  // where each begins
  std::string origin;

  // Puts "FILE:LINE: " of the rule before the message.
  absl::Status At(size_t rule, const absl::Status& status) const;
};

// InvalidArgument: "rules.toml:12: rule 'web': threads: expected …".
absl::StatusOr<ParsedRules> ParseRuleText(std::string_view text_untrusted, const std::string& origin_untrusted);

// Both steps at once, on an empty set.
absl::StatusOr<RuleSet> ReadRuleText(std::string_view text_untrusted, const std::string& origin_untrusted);

// Every field of every rule, so that it reads back as the same set under any defaults.
std::string WriteRuleText(const RuleSet& set);

}  // namespace taskmon::rules
