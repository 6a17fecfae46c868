// SPDX-License-Identifier: Apache-2.0
//
// A small machine with rules for the fuzzer of rule requests: the history of Machine, a rule book of its own, and
// processes of several users that the rules have been asked about. Two that differ in `secret` alone differ in nothing
// but what is guarded from an ordinary user. No rule in force lets its outcome depend on that: what such a rule gives
// away it gives away by design, and whoever makes it is warned.
#pragma once

#include <cstdint>
#include <memory>

#include "daemon/query/caller.h"
#include "daemon/rule_answers.h"
#include "daemon/rule_desk.h"
#include "daemon/rules/admission.h"
#include "daemon/rules/rule_book.h"
#include "daemon/sample_builder.h"
#include "tests/fuzz/request_world.h"

namespace taskmon::fuzz {

class RuleMachine {
 public:
  RuleMachine(uint64_t secret, bool hides_cmdlines);

  daemon::RuleDesk& desk() const { return *desk_; }
  rules::RuleBook& book() const { return *book_; }
  // Makes the rules what they were at first.
  void Restore() const;

 private:
  void Live(uint64_t secret);

  const Machine machine_;
  std::unique_ptr<rules::RuleBook> book_;
  rules::RuleSetPtr first_rules_;
  rules::Admission admission_;
  std::unique_ptr<daemon::SampleBuilder> builder_;
  std::shared_ptr<const Snapshot> newest_;
  std::unique_ptr<daemon::RuleAnswers> answers_;
  std::unique_ptr<daemon::RuleDesk> desk_;
};

}  // namespace taskmon::fuzz
