// SPDX-License-Identifier: Apache-2.0
#include "storage/ring_writer.h"

#include <sys/stat.h>

#include <utility>

#include "storage/file_lock.h"
#include "storage/private_file.h"
#include "storage/ring_file.h"

namespace taskmon::storage {
namespace {

// Device and inode; zeros: there is no file.
using FileIdentity = std::pair<uint64_t, uint64_t>;

FileIdentity IdentityOf(const std::string& path) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return {0, 0};
  return {st.st_dev, st.st_ino};
}

class RingWriterImpl : public RingWriter {
 public:
  RingWriterImpl(const RingOptions& options, FileLock lock) : options_(options), lock_(std::move(lock)) {}

  absl::Status Open();
  uint64_t last_tick_seq() const override { return file_ == nullptr ? 0 : file_->last_tick_seq(); }
  absl::Status Append(const Snapshot& snapshot, std::vector<Event>* events) override;
  absl::Status AddPast(const std::vector<PastTick>& ticks) override {
    // A file begun anew, or not open, has none of those ticks.
    return file_ == nullptr ? absl::OkStatus() : file_->AddPast(ticks);
  }
  absl::Status Close() override { return file_ == nullptr ? absl::OkStatus() : file_->Close(); }
  RingStats stats() const override;

 private:
  absl::Status OpenFile();
  absl::Status StartAnew();
  absl::Status Reopen(uint64_t next_seq);

  const RingOptions options_;
  FileLock lock_;
  std::unique_ptr<RingFile> file_;  // null: could not be opened, and is tried again with the next tick
  FileIdentity identity_;           // of the file that file_ has open
  std::string set_aside_;
};

absl::Status RingWriterImpl::OpenFile() {
  absl::Status status = CreatePrivately(options_.path);
  auto file = std::make_unique<RingFile>(options_);
  if (status.ok()) status = file->Open();
  if (!status.ok()) return status;
  file_ = std::move(file);
  identity_ = IdentityOf(options_.path);
  return absl::OkStatus();
}

absl::Status RingWriterImpl::StartAnew() {
  file_.reset();  // SQLite must let go of the file first
  absl::StatusOr<std::string> target = SetAside(options_.path);
  if (target.ok()) set_aside_ = *target;
  return target.ok() ? OpenFile() : target.status();
}

absl::Status RingWriterImpl::Open() {
  absl::Status status = OpenFile();
  return absl::IsDataLoss(status) ? StartAnew() : status;
}

// Ticks are numbered on from the file that was there first. One with higher numbers cannot be continued.
absl::Status RingWriterImpl::Reopen(uint64_t next_seq) {
  absl::Status status = Open();
  return status.ok() && file_->last_tick_seq() >= next_seq ? StartAnew() : status;
}

// Damage may also show long after Open; the tick at hand then is the first of a new file.
absl::Status RingWriterImpl::Append(const Snapshot& snapshot, std::vector<Event>* events) {
  // Removed, or another in its place: what we hold open nobody will ever read.
  if (file_ != nullptr && IdentityOf(options_.path) != identity_) file_.reset();
  absl::Status status = file_ == nullptr ? Reopen(snapshot.tick.seq) : absl::OkStatus();
  if (status.ok()) status = file_->Append(snapshot, events);
  if (!absl::IsDataLoss(status)) return status;
  status = StartAnew();
  return status.ok() ? file_->Append(snapshot, events) : status;
}

RingStats RingWriterImpl::stats() const {
  RingStats stats = file_ == nullptr ? RingStats() : file_->stats();
  stats.set_aside = set_aside_;
  return stats;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RingWriter>> RingWriter::Open(const RingOptions& options) {
  absl::StatusOr<FileLock> lock = FileLock::Take(options.path + ".lock");
  if (!lock.ok()) return lock.status();
  auto writer = std::make_unique<RingWriterImpl>(options, *std::move(lock));
  absl::Status status = writer->Open();
  if (!status.ok()) return status;
  return std::unique_ptr<RingWriter>(std::move(writer));
}

}  // namespace taskmon::storage
