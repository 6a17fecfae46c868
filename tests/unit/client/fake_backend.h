// SPDX-License-Identifier: Apache-2.0
//
// A Backend that answers from what a test put into it and keeps what it was asked, and a run of one command line
// against it with both outputs captured.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "client/cli.h"
#include "client/commands/commands.h"
#include "proto/catalogue.h"

namespace taskmon::client {

struct FakeAnswers {
  std::vector<v1::TaskBatch> batches;
  std::vector<v1::EventBatch> events;
  std::vector<v1::SnapshotPiece> pieces;
  std::vector<v1::Totals> totals;
  v1::Status status;
  v1::Doctor doctor;
  absl::Status result;  // how every call ends
  v1::ListTasksRequest list_request;
  v1::WatchTasksRequest watch_request;
  v1::HistoryRequest history_request;
  v1::EventsRequest events_request;
  v1::SnapshotRequest snapshot_request;
  v1::LifeRequest life_request;
  absl::StatusOr<v1::Life> life = absl::NotFoundError("no such task is stored");
  std::vector<v1::TotalsRequest> totals_requests;
  v1::RuleList rules;
  v1::RuleFile rule_file;
  std::vector<v1::RuleEdit> rule_edits;  // one for each call of EditRules, the last one again and again
  v1::RuleVersionList rule_versions;
  v1::TaskExplanation task_explanation;
  v1::ExpressionExplanation expression_explanation;
  v1::RuleTrial rule_trial;
  v1::ListRulesRequest rules_request;
  v1::ExportRulesRequest export_request;
  std::vector<v1::EditRulesRequest> edit_requests;
  std::string edit_text;
  v1::ExplainTaskRequest explain_task_request;
  v1::ExplainExpressionRequest explain_expression_request;
  v1::TestRuleRequest test_request;
};

class FakeBackend : public Backend {
 public:
  explicit FakeBackend(FakeAnswers* answers) : answers_(answers) {}

  absl::StatusOr<v1::Status> GetStatus() override { return Answer(answers_->status); }
  absl::StatusOr<v1::Doctor> GetDoctor() override { return Answer(answers_->doctor); }
  absl::Status ListTasks(const v1::ListTasksRequest& request, const TaskSink& sink) override {
    answers_->list_request = request;
    return Send(answers_->batches, sink);
  }
  absl::Status WatchTasks(const v1::WatchTasksRequest& request, const TaskSink& sink) override {
    answers_->watch_request = request;
    return Send(answers_->batches, sink);
  }
  absl::Status ReadHistory(const v1::HistoryRequest& request, const TaskSink& sink) override {
    answers_->history_request = request;
    return Send(answers_->batches, sink);
  }
  absl::Status ReadEvents(const v1::EventsRequest& request, const EventSink& sink) override {
    answers_->events_request = request;
    return Send(answers_->events, sink);
  }
  absl::StatusOr<v1::Life> GetLife(const v1::LifeRequest& request) override {
    answers_->life_request = request;
    return answers_->life;
  }
  absl::Status CutSnapshot(const v1::SnapshotRequest& request, const PieceSink& sink) override {
    answers_->snapshot_request = request;
    return Send(answers_->pieces, sink);
  }
  absl::Status ReadTotals(const v1::TotalsRequest& request, const TotalsSink& sink) override {
    answers_->totals_requests.push_back(request);
    return Send(answers_->totals, sink);
  }
  absl::StatusOr<v1::RuleList> ListRules(const v1::ListRulesRequest& request) override {
    answers_->rules_request = request;
    return Answer(answers_->rules);
  }
  absl::StatusOr<v1::RuleFile> ExportRules(const v1::ExportRulesRequest& request) override {
    answers_->export_request = request;
    return Answer(answers_->rule_file);
  }
  absl::StatusOr<v1::RuleEdit> EditRules(const v1::EditRulesRequest& edit, std::string_view text) override {
    answers_->edit_requests.push_back(edit);
    answers_->edit_text = std::string(text);
    if (answers_->rule_edits.empty()) return Answer(v1::RuleEdit());
    return Answer(answers_->rule_edits[std::min(answers_->edit_requests.size(), answers_->rule_edits.size()) - 1]);
  }
  absl::StatusOr<v1::RuleVersionList> ListRuleVersions() override { return Answer(answers_->rule_versions); }
  absl::StatusOr<v1::TaskExplanation> ExplainTask(const v1::ExplainTaskRequest& request) override {
    answers_->explain_task_request = request;
    return Answer(answers_->task_explanation);
  }
  absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const v1::ExplainExpressionRequest& request) override {
    answers_->explain_expression_request = request;
    return Answer(answers_->expression_explanation);
  }
  absl::StatusOr<v1::RuleTrial> TestRule(const v1::TestRuleRequest& request) override {
    answers_->test_request = request;
    return Answer(answers_->rule_trial);
  }
  void Cancel() override {}

 private:
  template <typename Message>
  absl::StatusOr<Message> Answer(const Message& message) {
    if (!answers_->result.ok()) return answers_->result;
    return message;
  }

  template <typename Batch, typename Sink>
  absl::Status Send(const std::vector<Batch>& batches, const Sink& sink) {
    for (const Batch& batch : batches) {
      if (!sink(batch)) return absl::OkStatus();
    }
    return answers_->result;
  }

  FakeAnswers* answers_;
};

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// What was written to an anonymous file.
class Captured {
 public:
  Captured() : fd_(memfd_create("captured", MFD_CLOEXEC)), output_(fd_) {}
  ~Captured() { close(fd_); }
  Output* output() { return &output_; }

  std::string Text() {
    output_.Flush();
    std::string text(static_cast<size_t>(lseek(fd_, 0, SEEK_END)), '\0');
    const ssize_t size = pread(fd_, text.data(), text.size(), 0);
    text.resize(static_cast<size_t>(size));
    return text;
  }

 private:
  int fd_;
  Output output_;
};

inline constexpr int64_t kNow = 1'795'335'330'000'000'000;  // 2026-11-22T08:15:30Z

inline Outcome Invoke(const std::vector<std::string>& arguments, FakeAnswers* answers, Terminal terminal = {}) {
  const ParsedCommandLine parsed = ParseCommandLine(arguments, "");
  if (parsed.exit_code) return {*parsed.exit_code, parsed.out, parsed.err};
  Captured out;
  Captured err;
  Context context{.out = out.output(),
                  .err = err.output(),
                  .terminal = terminal,
                  .open_backend = [&](const Options&) -> absl::StatusOr<std::unique_ptr<Backend>> {
                    return std::make_unique<FakeBackend>(answers);
                  },
                  .now_wall_ns = [] { return kNow; }};
  const int code = RunCommand(parsed.options, &context);
  return {code, out.Text(), err.Text()};
}

// A batch of one tick at kNow that asks for `metrics`; all when none are named.
inline v1::TaskBatch MakeBatch(std::vector<v1::Metric> metrics = {}) {
  v1::TaskBatch batch;
  if (metrics.empty()) {
    for (const MetricDesc& metric : AllMetrics()) metrics.push_back(metric.id);
  }
  for (const v1::Metric metric : metrics) batch.add_metrics(metric);
  v1::Tick* tick = batch.add_ticks();
  tick->set_seq(7);
  tick->set_time_ns(kNow);
  tick->set_boot_ns(100'000'000'000);
  tick->set_elapsed_ns(1'000'000'000);
  batch.set_last(true);
  return batch;
}

// Adds a task whose values are all 0 and returns its sample.
inline v1::Sample* AddTask(int32_t tid, const std::string& comm, v1::TaskBatch* batch) {
  v1::TaskInfo* info = batch->add_tasks();
  info->set_tid(tid);
  info->set_tgid(tid);
  info->set_ppid(1);
  info->set_comm(comm);
  info->set_cmdline("/usr/bin/" + comm + " --serve");
  info->set_exe("/usr/bin/" + comm);
  info->set_uid(33);
  info->set_gid(33);
  info->set_user("www-data");
  info->set_start_ns(5'000'000'000);
  info->set_start_time_ns(kNow - 95'000'000'000);
  info->set_tracked(true);
  info->add_rules("apps");
  v1::Sample* sample = batch->add_samples();
  sample->set_task(static_cast<uint32_t>(batch->tasks_size() - 1));
  for (int i = 0; i < batch->metrics_size(); ++i) sample->add_values(0);
  return sample;
}

inline void SetValue(v1::Metric metric, int64_t value, const v1::TaskBatch& batch, v1::Sample* sample) {
  for (int i = 0; i < batch.metrics_size(); ++i) {
    if (batch.metrics(i) == static_cast<uint32_t>(metric)) sample->set_values(i, value);
  }
}

}  // namespace taskmon::client
