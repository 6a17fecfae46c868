// SPDX-License-Identifier: Apache-2.0
#include "bpf/record_ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace taskmon::bpf {

RecordRing::~RecordRing() {
  if (consumed_ != nullptr) munmap(consumed_, page_bytes_);
  if (produced_ != nullptr) munmap(const_cast<uint64_t*>(produced_), page_bytes_ + bytes_);
}

absl::Status RecordRing::Open(int map_fd, uint32_t bytes) {
  const auto failed = [] { return absl::InternalError(fmt::format("cannot map the ring: {}", std::strerror(errno))); };
  page_bytes_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = bytes;
  void* consumed = mmap(nullptr, page_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumed == MAP_FAILED) return failed();
  consumed_ = static_cast<uint64_t*>(consumed);
  void* produced = mmap(nullptr, page_bytes_ + bytes_, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page_bytes_));
  if (produced == MAP_FAILED) return failed();
  produced_ = static_cast<const uint64_t*>(produced);
  data_ = static_cast<const char*>(produced) + page_bytes_;
  return absl::OkStatus();
}

// The `size` bytes at a position, without a break.
const char* RecordRing::Whole(uint64_t at, size_t size) {
  const uint64_t begin = at & (bytes_ - 1);
  if (begin + size <= bytes_) return data_ + begin;
  const size_t before_end = bytes_ - begin;
  torn_.assign(data_ + begin, data_ + bytes_);
  torn_.insert(torn_.end(), data_, data_ + (size - before_end));
  return torn_.data();
}

uint64_t RecordRing::waiting_bytes() const { return __atomic_load_n(produced_, __ATOMIC_ACQUIRE) - *consumed_; }

size_t RecordRing::Drain(const Sink& sink) {
  const uint64_t end = __atomic_load_n(produced_, __ATOMIC_ACQUIRE);
  size_t records = 0;
  for (uint64_t at = *consumed_; at < end;) {
    // Its header, which never lies across the end: size and two flags. What is being written is not to be passed.
    const auto* header = reinterpret_cast<const uint32_t*>(data_ + (at & (bytes_ - 1)));
    const uint32_t word = __atomic_load_n(header, __ATOMIC_ACQUIRE);
    if ((word & BPF_RINGBUF_BUSY_BIT) != 0) break;
    const size_t size = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    if ((word & BPF_RINGBUF_DISCARD_BIT) == 0) {
      sink(Whole(at + BPF_RINGBUF_HDR_SZ, size), size);
      ++records;
    }
    at += BPF_RINGBUF_HDR_SZ + (size + 7) / 8 * 8;
    __atomic_store_n(consumed_, at, __ATOMIC_RELEASE);
  }
  return records;
}

}  // namespace taskmon::bpf
