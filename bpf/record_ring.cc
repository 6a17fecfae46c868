// SPDX-License-Identifier: Apache-2.0
#include "bpf/record_ring.h"

#include <linux/bpf.h>
#include <unistd.h>

namespace taskmon::bpf {

absl::Status RecordRing::Open(int map_fd, uint32_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  absl::Status status = reading_.Open("the ring", map_fd, 0, page, PROT_READ | PROT_WRITE);
  if (!status.ok()) return status;
  status = writing_.Open("the ring", map_fd, page, page + bytes, PROT_READ);
  if (!status.ok()) return status;
  bytes_ = bytes;
  consumed_ = reading_.As<uint64_t>();
  produced_ = writing_.As<const uint64_t>();
  data_ = writing_.As<const char>() + page;
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
