// SPDX-License-Identifier: Apache-2.0
#include "bpf/task_pass.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bpf/fd.h"

namespace taskmon::bpf {
namespace {

// The kernel hands out at most 32 KiB (8 pages) of records per read.
constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kRoomBytes = TM_WALK_ROOM * sizeof(tm_task_record);

}  // namespace

TaskPass::~TaskPass() { bpf_link__destroy(iterator_); }

absl::Status TaskPass::Open(bpf_program* iterate, const Walk& walk, std::span<uint32_t> left_out) {
  left_out_ = left_out;
  buffer_.resize(kReadBytes);
  iterator_ = bpf_program__attach_iter(iterate, nullptr);
  if (iterator_ == nullptr)
    return absl::InternalError(fmt::format("cannot attach the iterator: {}", std::strerror(errno)));
  if (walk.program_fd < 0) return absl::OkStatus();
  walk_ = walk;
  return records_.Open("the records of a pass", walk.records_fd, 0, kRoomBytes, PROT_READ);
}

absl::Status TaskPass::Run(const Probe::TaskSink& sink) {
  if (records_.is_open() && WalkThrough(sink)) return absl::OkStatus();
  return Iterate(sink);  // of all that have not been sent
}

// False: the process that it was to go on from is gone, one alone has more news than there is room, or the kernel
// refuses.
bool TaskPass::WalkThrough(const Probe::TaskSink& sink) {
  std::fill(left_out_.begin(), left_out_.end(), 0);
  *walk_.place = {.own_tgid = getpid(), .next_tgid = getpid()};
  for (;;) {
    LIBBPF_OPTS(bpf_test_run_opts, run);
    if (bpf_prog_test_run_opts(walk_.program_fd, &run) != 0) return false;
    const size_t records = std::min<size_t>(walk_.place->records, TM_WALK_ROOM);
    for (size_t i = 0; i < records; ++i) sink(records_.As<const tm_task_record>()[i]);
    if (run.retval != TM_WALK_GOES_ON) return run.retval == TM_WALK_DONE;
  }
}

absl::Status TaskPass::Iterate(const Probe::TaskSink& sink) {
  std::fill(left_out_.begin(), left_out_.end(), 0);
  const Fd pass(bpf_iter_create(bpf_link__fd(iterator_)));
  if (pass.get() < 0) return absl::UnavailableError(fmt::format("cannot start a pass: {}", std::strerror(errno)));
  return Read(pass.get(), sink);
}

absl::Status TaskPass::Read(int fd, const Probe::TaskSink& sink) {
  size_t held = 0;
  for (;;) {
    const ssize_t got = read(fd, buffer_.data() + held, buffer_.size() - held);
    // EAGAIN: a million idle tasks in a row; the next read goes on from there.
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return absl::UnavailableError(fmt::format("the pass broke off: {}", std::strerror(errno)));
    if (got == 0) break;
    held += static_cast<size_t>(got);
    size_t done = 0;
    for (; held - done >= sizeof(tm_task_record); done += sizeof(tm_task_record)) {
      sink(*reinterpret_cast<const tm_task_record*>(buffer_.data() + done));
    }
    std::memmove(buffer_.data(), buffer_.data() + done, held - done);
    held -= done;
  }
  if (held != 0) return absl::UnavailableError("the pass ended inside a record");
  return absl::OkStatus();
}

}  // namespace taskmon::bpf
