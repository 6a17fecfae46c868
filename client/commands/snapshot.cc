// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/output/cell.h"
#include "client/output/escape.h"
#include "client/output/units.h"
#include "client/waiting.h"

namespace taskmon::client {
namespace {

// The file as it comes in, for its owner alone: it can hold what others may not see. What is not kept is removed.
class Target {
 public:
  explicit Target(const std::string& path)
      : path_(path),
        fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)),
        error_(fd_ < 0 ? errno : 0) {}
  ~Target() {
    if (fd_ < 0) return;
    close(fd_);
    if (!kept_) (void)unlink(path_.c_str());  // it was there a moment ago
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // InvalidArgument: there already, or no such place.
  absl::Status opened() const {
    if (error_ == EEXIST) {
      return absl::InvalidArgumentError(fmt::format("{} is there already; name another file or remove it", path_));
    }
    if (error_ == EACCES || error_ == EPERM || error_ == EROFS) {
      return absl::PermissionDeniedError(
          fmt::format("cannot write {}: {}; name a file in a directory of your own", path_, std::strerror(error_)));
    }
    if (error_ != 0) {
      return absl::InvalidArgumentError(
          fmt::format("cannot write {}: {}; name another file", path_, std::strerror(error_)));
    }
    return absl::OkStatus();
  }

  absl::Status Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed();
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Keep() {
    if (fsync(fd_) != 0 && errno != EINVAL) return Failed();  // EINVAL: a pipe or device, which keeps nothing
    kept_ = true;
    return absl::OkStatus();
  }

 private:
  absl::Status Failed() const {
    return absl::InternalError(fmt::format("writing {}: {}", path_, std::strerror(errno)));
  }

  const std::string path_;
  const int fd_;
  const int error_;
  bool kept_ = false;
};

// How far the cut has got: "2026-11-27 03:12:44 (42 %)".
std::string CuttingText(const v1::SnapshotProgress& progress) {
  const double whole = static_cast<double>(progress.end_time_ns() - progress.begin_time_ns());
  const double done = static_cast<double>(progress.at_time_ns() - progress.begin_time_ns());
  return fmt::format("{} ({:.0f} %)", LocalTime(progress.at_time_ns(), false), whole > 0 ? 100 * done / whole : 0);
}

absl::StatusOr<v1::SnapshotRequest> MakeRequest(const Options& options, Context* context) {
  v1::SnapshotRequest request;
  if (absl::Status status = SetRange(options, context, &request); !status.ok()) return status;
  request.set_anonymize(options.anonymize);
  return request;
}

absl::StatusOr<v1::SnapshotSummary> Receive(const v1::SnapshotRequest& request, Backend* backend, Target* target,
                                            Context* context) {
  Waiting waiting("cutting", backend, context);
  v1::SnapshotSummary summary;
  uint64_t received = 0;
  absl::Status written;
  absl::Status status = backend->CutSnapshot(request, [&](const v1::SnapshotPiece& piece) {
    if (piece.has_progress()) waiting.At(CuttingText(piece.progress()));
    if (piece.has_summary()) summary = piece.summary();
    if (piece.data().empty()) return true;
    written = target->Write(piece.data());
    received += piece.data().size();
    waiting.At(HumanBytes(static_cast<double>(received)) + " received");
    return written.ok();
  });
  status.Update(written);
  if (!status.ok()) return status;
  if (received == 0 || received != summary.bytes()) return absl::InternalError("the snapshot broke off; try again");
  return summary;
}

}  // namespace

int RunSnapshot(const Options& options, Context* context) {
  const absl::StatusOr<v1::SnapshotRequest> request = MakeRequest(options, context);
  if (!request.ok()) return Fail(request.status(), context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  Target target(options.output);
  if (!target.opened().ok()) return Fail(target.opened(), context);
  const absl::StatusOr<v1::SnapshotSummary> summary = Receive(*request, backend->get(), &target, context);
  if (!summary.ok()) return Fail(summary.status(), context);
  if (const absl::Status kept = target.Keep(); !kept.ok()) return Fail(kept, context);
  context->out->Write(fmt::format("{}: {} to {} {}, {} ticks, {} events, {}\n", TerminalSafe(options.output),
                                  LocalTime(summary->begin_time_ns(), false), LocalTime(summary->end_time_ns(), false),
                                  LocalZone(summary->end_time_ns()), Thousands(summary->ticks()),
                                  Thousands(summary->events()), HumanBytes(static_cast<double>(summary->bytes()))));
  return kMatched;
}

}  // namespace taskmon::client
