// SPDX-License-Identifier: Apache-2.0
//
// What clients ask of the rules, for a caller who is known: who may read and who may edit them, edits turned into
// RuleBook's, answers filled from the current set and the engine. Knows no gRPC; safe from every thread.
//
// Rules are for everyone who may use the socket to read (Sources::readers_only narrows it to those who see everything):
// what is recorded of a user's tasks, and by whose wish, is no secret from him. Edits are for uid 0 and the admin
// group. PermissionDenied says what would grant it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "daemon/rules/rule_book.h"
#include "daemon/rules/rule_engine.h"
#include "daemon/shares.h"
#include "storage/sample.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::daemon {

class RuleDesk {
 public:
  struct Sources {
    rules::RuleBook* book;
    const rules::RuleEngine* engine;
    std::function<std::shared_ptr<const Snapshot>()> newest;  // null before the first tick
    bool readers_only = false;
    std::string reader_group;
    std::string admin_group;
  };

  // A trial reads much of the history.
  static constexpr uint32_t kMostTrials = 4;

  explicit RuleDesk(Sources sources) : sources_(std::move(sources)), trials_(kMostTrials) {}

  absl::Status MayRead(const query::Caller& caller) const;
  absl::Status MayEdit(const query::Caller& caller) const;

  absl::StatusOr<v1::RuleList> List(const v1::ListRulesRequest& request_untrusted, const query::Caller& caller) const;
  absl::StatusOr<v1::RuleFile> Export(const v1::ExportRulesRequest& request_untrusted,
                                      const query::Caller& caller) const;
  // `text_untrusted`: the request's, and that of the messages after it.
  absl::StatusOr<v1::RuleEdit> Edit(const v1::EditRulesRequest& request_untrusted, const std::string& text_untrusted,
                                    const query::Caller& caller) const;
  absl::StatusOr<v1::RuleVersionList> Versions(const query::Caller& caller) const;
  absl::StatusOr<v1::TaskExplanation> ExplainTask(const v1::ExplainTaskRequest& request_untrusted,
                                                  const query::Caller& caller) const;
  absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const v1::ExplainExpressionRequest& request_untrusted,
                                                              const query::Caller& caller) const;
  // ResourceExhausted: too many trials run already.
  absl::StatusOr<v1::RuleTrial> Test(const v1::TestRuleRequest& request_untrusted, const query::Caller& caller,
                                     const std::function<bool()>& cancelled);

  uint64_t refused_trials() const { return trials_.refused(); }

 private:
  v1::RuleEdit Encode(const rules::RuleBook::EditResult& result, bool dry_run) const;

  const Sources sources_;
  Shares trials_;
};

}  // namespace taskmon::daemon
