// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a rule file: no crash, refusals name the file on one line, and what is read writes a text that reads as
// the same rules.
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/rules/rule_text.h"

namespace {

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace taskmon::rules;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<RuleSet> set = ReadRuleText(text, "f");
  if (!set.ok()) {
    const std::string message(set.status().message());
    Require(message.substr(0, 2) == "f:" && message.find('\n') == std::string::npos);
    return 0;
  }
  const absl::StatusOr<RuleSet> back = ReadRuleText(WriteRuleText(*set), "f");
  Require(back.ok() && back->size() == set->size());
  for (size_t i = 0; i < set->size(); ++i) Require(back->rules()[i]->rule == set->rules()[i]->rule);
  return 0;
}
