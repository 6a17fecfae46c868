// SPDX-License-Identifier: Apache-2.0
//
// The reading end of the ring buffer that records of lives come in (BPF_MAP_TYPE_RINGBUF; its layout is described in
// kernel/bpf/ringbuf.c and the kernel's documentation). In place of libbpf's: a drain here ends with what was there
// when it began, where libbpf's goes on as long as records come; and the ring is mapped once, where libbpf maps it
// twice, so that twice its size would be resident.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <absl/status/status.h>

#include "bpf/mapping.h"

namespace taskmon::bpf {

class RecordRing {
 public:
  // A record is 8-byte aligned and valid until the call returns; its room is free for others from then on.
  using Sink = std::function<void(const void* record, size_t size)>;

  // `bytes`: a power of two, the map's max_entries. The map outlives the ring.
  absl::Status Open(int map_fd, uint32_t bytes);

  // Hands over, oldest first, what was in the ring when it was called, up to the first record that is still being
  // written. Returns the number of records.
  size_t Drain(const Sink& sink);

  // What waits to be drained, with the kernel's 8 bytes for each record.
  uint64_t waiting_bytes() const;

 private:
  const char* Whole(uint64_t at, size_t size);

  uint64_t bytes_ = 0;
  Mapping reading_;                     // the page that is ours to write
  Mapping writing_;                     // the kernel's page, and the data
  uint64_t* consumed_ = nullptr;        // how far we have read, ever
  const uint64_t* produced_ = nullptr;  // … how far the kernel has written
  const char* data_ = nullptr;
  std::vector<char> torn_;  // a record that lies across the end, put together
};

}  // namespace taskmon::bpf
