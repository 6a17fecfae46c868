// SPDX-License-Identifier: Apache-2.0
//
// Whom the commands ask: taskmond over its socket (grpc_backend.h), or a history file read in this process
// (file_backend.h). Commands know only this interface, and tests answer through it.
//
// Errors carry their exit code (exit_code.h) and text that says what to do. A sink that returns false ends the call
// with OK: the caller has what it wanted. One call at a time; Cancel may come from another thread.
#pragma once

#include <functional>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "taskmon/v1/rules.pb.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

class Backend {
 public:
  using TaskSink = std::function<bool(const v1::TaskBatch&)>;
  using EventSink = std::function<bool(const v1::EventBatch&)>;
  using PieceSink = std::function<bool(const v1::SnapshotPiece&)>;
  using TotalsSink = std::function<bool(const v1::Totals&)>;

  virtual ~Backend() = default;

  virtual absl::StatusOr<v1::Status> GetStatus() = 0;
  virtual absl::StatusOr<v1::Doctor> GetDoctor() = 0;
  virtual absl::Status ListTasks(const v1::ListTasksRequest& request, const TaskSink& sink) = 0;
  virtual absl::Status WatchTasks(const v1::WatchTasksRequest& request, const TaskSink& sink) = 0;
  // Goes on by itself where an answer was cut short.
  virtual absl::Status ReadHistory(const v1::HistoryRequest& request, const TaskSink& sink) = 0;
  virtual absl::Status ReadEvents(const v1::EventsRequest& request, const EventSink& sink) = 0;
  virtual absl::StatusOr<v1::Life> GetLife(const v1::LifeRequest& request) = 0;
  virtual absl::Status CutSnapshot(const v1::SnapshotRequest& request, const PieceSink& sink) = 0;
  virtual absl::Status ReadTotals(const v1::TotalsRequest& request, const TotalsSink& sink) = 0;

  virtual absl::StatusOr<v1::RuleList> ListRules(const v1::ListRulesRequest& request) = 0;
  virtual absl::StatusOr<v1::RuleFile> ExportRules(const v1::ExportRulesRequest& request) = 0;
  // `text`: the rule file that the edit applies; empty for other edits. Aborted: the rules were edited meanwhile.
  virtual absl::StatusOr<v1::RuleEdit> EditRules(const v1::EditRulesRequest& edit, std::string_view text) = 0;
  virtual absl::StatusOr<v1::RuleVersionList> ListRuleVersions() = 0;
  virtual absl::StatusOr<v1::TaskExplanation> ExplainTask(const v1::ExplainTaskRequest& request) = 0;
  virtual absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const v1::ExplainExpressionRequest& request) = 0;
  virtual absl::StatusOr<v1::RuleTrial> TestRule(const v1::TestRuleRequest& request) = 0;

  // Ends the call in progress, and every later one, with Cancelled.
  virtual void Cancel() = 0;
};

}  // namespace taskmon::client
