// SPDX-License-Identifier: Apache-2.0
#include "client/file_backend.h"

#include <atomic>
#include <chrono>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "client/history_parts.h"
#include "daemon/query/engine.h"

namespace taskmon::client {
namespace {

absl::Status NeedsDaemon(const char* what) {
  return absl::InvalidArgumentError(fmt::format("{} speaks of the running system; leave out --file", what));
}

class FileBackend : public Backend {
 public:
  // Nobody else waits for memory or time that a question takes here.
  explicit FileBackend(const std::string& path)
      : path_(path),
        engine_({.ring_path = path, .answer_bytes = int64_t{4} << 30, .longest = std::chrono::hours(24)}) {}

  absl::StatusOr<v1::Status> GetStatus() override { return NeedsDaemon("status"); }
  absl::StatusOr<v1::Doctor> GetDoctor() override { return NeedsDaemon("doctor"); }
  absl::Status WatchTasks(const v1::WatchTasksRequest&, const TaskSink&) override { return NeedsDaemon("watch"); }

  absl::StatusOr<v1::RuleList> ListRules(const v1::ListRulesRequest&) override { return NeedsDaemon("rule"); }
  absl::StatusOr<v1::RuleFile> ExportRules(const v1::ExportRulesRequest&) override { return NeedsDaemon("rule"); }
  absl::StatusOr<v1::RuleEdit> EditRules(const v1::EditRulesRequest&, std::string_view) override {
    return NeedsDaemon("rule");
  }
  absl::StatusOr<v1::RuleVersionList> ListRuleVersions() override { return NeedsDaemon("rule"); }
  absl::StatusOr<v1::TaskExplanation> ExplainTask(const v1::ExplainTaskRequest&) override {
    return NeedsDaemon("rule");
  }
  absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const v1::ExplainExpressionRequest&) override {
    return NeedsDaemon("rule");
  }
  absl::StatusOr<v1::RuleTrial> TestRule(const v1::TestRuleRequest&) override { return NeedsDaemon("rule"); }

  absl::Status ListTasks(const v1::ListTasksRequest& request, const TaskSink& sink) override {
    return Run(sink, [&](const TaskSink& guarded) { return engine_.ListTasks(request, Reader(), guarded); });
  }
  absl::Status ReadHistory(const v1::HistoryRequest& request, const TaskSink& sink) override {
    return Run(sink, [&](const TaskSink& guarded) {
      return InParts(request, guarded, [&](const v1::HistoryRequest& part, const TaskSink& take) {
        return engine_.ReadHistory(part, Reader(), take);
      });
    });
  }
  absl::Status ReadEvents(const v1::EventsRequest& request, const EventSink& sink) override {
    if (request.follow()) return NeedsDaemon("events --follow");
    return Run(sink, [&](const EventSink& guarded) { return engine_.ReadEvents(request, Reader(), guarded); });
  }
  absl::Status ReadTotals(const v1::TotalsRequest& request, const TotalsSink& sink) override {
    return Run(sink, [&](const TotalsSink& guarded) { return engine_.ReadTotals(request, Reader(), guarded); });
  }

  absl::StatusOr<v1::Life> GetLife(const v1::LifeRequest& request) override {
    return engine_.GetLife(request, Reader());
  }
  absl::Status CutSnapshot(const v1::SnapshotRequest& request, const PieceSink& sink) override {
    const char* temporary = std::getenv("TMPDIR");
    return Run(sink, [&](const PieceSink& guarded) {
      const query::CutPlace place{.directory = temporary != nullptr ? temporary : "/tmp", .max_bytes = UINT64_MAX};
      return engine_.CutSnapshot(request, Reader(), place, guarded);
    });
  }

  void Cancel() override { cancelled_ = true; }

 private:
  query::Caller Reader() const { return query::ReaderOf(path_, geteuid()); }

  template <typename Sink, typename Call>
  absl::Status Run(const Sink& sink, Call call) {
    bool enough = false;
    const absl::Status status = call([&](const auto& batch) {
      enough = !cancelled_ && !sink(batch);
      return !enough && !cancelled_;
    });
    if (cancelled_) return absl::CancelledError("interrupted");
    if (enough) return absl::OkStatus();
    // Not a history file, or a newer format: the named file is at fault.
    if (absl::IsFailedPrecondition(status)) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {}; name a history file", path_, std::string(status.message())));
    }
    return status;
  }

  const std::string path_;
  query::Engine engine_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> OpenFileBackend(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || access(path.c_str(), R_OK) != 0) {
    const int error = errno;
    if (error == EACCES || error == EPERM) {
      return absl::PermissionDeniedError(fmt::format("cannot read {}; ask its owner for read access", path));
    }
    return absl::InvalidArgumentError(
        fmt::format("cannot open {}: {}; name a history file", path, std::strerror(error)));
  }
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(path + " is not a history file; name one with --file");
  return std::make_unique<FileBackend>(path);
}

}  // namespace taskmon::client
