// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/cut.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "daemon/query/ring_columns.h"
#include "storage/cutter.h"

namespace taskmon::query {
namespace {

constexpr const char* kPrefix = "cut-";
constexpr size_t kPieceBytes = 256 << 10;
constexpr std::chrono::milliseconds kBetweenSigns{200};

// A directory of its own, so that nobody has to guess which files SQLite makes.
class WorkPlace {
 public:
  explicit WorkPlace(const std::string& parent) : path_(parent + "/" + kPrefix + "XXXXXX") {
    made_ = mkdtemp(path_.data()) != nullptr;
  }
  ~WorkPlace() { Remove(); }
  WorkPlace(const WorkPlace&) = delete;
  WorkPlace& operator=(const WorkPlace&) = delete;

  bool made() const { return made_; }
  std::string file() const { return path_ + "/cut.db"; }
  void Remove() {
    std::error_code ignored;  // RemoveLeftCuts tries again
    if (made_) std::filesystem::remove_all(path_, ignored);
  }

 private:
  std::string path_;
  bool made_ = false;
};

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// Sends signs of life, not more often than anybody can read them.
class Progress {
 public:
  Progress(const storage::TimeRange& range, const PieceSink& sink) : range_(range), sink_(sink) {}

  bool operator()(int64_t wall_ns) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return true;
    next_ = now + kBetweenSigns;
    v1::SnapshotPiece piece;
    piece.mutable_progress()->set_begin_time_ns(range_.begin_wall_ns);
    piece.mutable_progress()->set_end_time_ns(range_.end_wall_ns);
    piece.mutable_progress()->set_at_time_ns(wall_ns);
    return sink_(piece);
  }

 private:
  const storage::TimeRange range_;
  const PieceSink& sink_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + kBetweenSigns;
};

MetricSet Guarded() {
  MetricSet guarded;
  for (const MetricDesc& metric : AllMetrics()) guarded.set(metric.id, metric.visibility == v1::GUARDED);
  return guarded;
}

// Seeing everything is one thing; carrying it away in a file is for those who may edit the rules.
void LeaveOutWhatIsGuarded(const Caller& caller, storage::CutOptions* options) {
  const uint32_t uid = caller.uid;
  const bool hide_cmdline = caller.hide_cmdline;
  options->receiver = storage::Receiver{.uid = uid, .cmdlines_hidden = hide_cmdline};
  options->hidden_metrics = [uid, guarded = Guarded()](const TaskInfo& info) {
    return info.uid == uid ? MetricSet() : guarded;
  };
  options->hide_names = [uid, hide_cmdline](TaskInfo* info) {
    if (info->uid == uid) return;
    if (hide_cmdline) info->cmdline = SharedText();
    if (!info->kthread) info->exe = SharedText();
  };
}

uint64_t RoomIn(const CutPlace& place) {
  struct statvfs disk {};
  if (statvfs(place.directory.c_str(), &disk) != 0) return 0;
  const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  return free > place.keep_free_bytes ? std::min(place.max_bytes, free - place.keep_free_bytes) : 0;
}

absl::Status SendFile(int fd, const storage::CutResult& result, const PieceSink& sink) {
  uint64_t left = result.bytes;
  while (true) {
    v1::SnapshotPiece piece;
    std::string* data = piece.mutable_data();
    data->resize(std::min<uint64_t>(kPieceBytes, left));
    const ssize_t got = data->empty() ? 0 : read(fd, data->data(), data->size());
    if (got < 0 || (got == 0 && left > 0)) {
      return absl::InternalError(fmt::format("reading the cut: {}", got < 0 ? std::strerror(errno) : "it is short"));
    }
    data->resize(static_cast<size_t>(got));
    left -= static_cast<uint64_t>(got);
    if (left == 0) {
      piece.mutable_summary()->set_ticks(result.ticks);
      piece.mutable_summary()->set_events(result.events);
      piece.mutable_summary()->set_bytes(result.bytes);
      piece.mutable_summary()->set_begin_time_ns(result.begin_wall_ns);
      piece.mutable_summary()->set_end_time_ns(result.end_wall_ns);
    }
    if (!sink(piece)) return absl::CancelledError("the receiver is gone");
    if (left == 0) return absl::OkStatus();
  }
}

}  // namespace

absl::Status SendCut(const std::string& source, const storage::TimeRange& range, bool anonymize, const CutPlace& place,
                     const Caller& caller, const PieceSink& sink) {
  WorkPlace work(place.directory);
  if (!work.made()) {
    return absl::FailedPreconditionError(fmt::format(
        "cannot cut the snapshot in {}: {}; that directory must be writable", place.directory, std::strerror(errno)));
  }
  storage::CutOptions options;
  options.source = source;
  options.output = work.file();
  options.begin_wall_ns = range.begin_wall_ns;
  options.end_wall_ns = range.end_wall_ns;
  options.anonymize = anonymize;
  options.columns = RingColumns();
  options.max_bytes = RoomIn(place);
  options.go_on = Progress(range, sink);
  if (!caller.admin) LeaveOutWhatIsGuarded(caller, &options);
  absl::StatusOr<storage::CutResult> result = storage::Cut(options);
  if (!result.ok()) return result.status();
  const Descriptor file(work.file());
  if (file.fd() < 0) return absl::InternalError(fmt::format("opening the cut: {}", std::strerror(errno)));
  work.Remove();
  return SendFile(file.fd(), *result, sink);
}

void RemoveLeftCuts(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    std::error_code ignored;  // what cannot be removed is in nobody's way
    if (name.rfind(kPrefix, 0) == 0 && entry.is_directory(ignored)) std::filesystem::remove_all(entry.path(), ignored);
  }
}

Caller ReaderOf(const std::string& path, uint32_t uid) {
  const Caller everything{.uid = uid, .sees_everything = true, .admin = true};
  auto reader = storage::RingReader::Open(path, RingColumns());
  if (!reader.ok()) return everything;
  const auto made_for = (*reader)->MadeFor();
  if (!made_for.ok() || !made_for->has_value()) return everything;
  return {.uid = (*made_for)->uid, .admin = true, .hide_cmdline = (*made_for)->cmdlines_hidden};
}

}  // namespace taskmon::query
