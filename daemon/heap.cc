// SPDX-License-Identifier: Apache-2.0
#include "daemon/heap.h"

#include <malloc.h>

namespace taskmon::daemon {
namespace {

// Threads share them in turn.
constexpr int kArenas = 2;
// Setting it at all keeps glibc from raising it.
constexpr int kMmapFromBytes = 128 << 10;
constexpr uint64_t kTrimEveryNs = 60ull * 1'000'000'000;

}  // namespace

void ConfigureHeap() {
  mallopt(M_ARENA_MAX, kArenas);
  mallopt(M_MMAP_THRESHOLD, kMmapFromBytes);
}

void HeapTrimmer::MaybeTrim(uint64_t now_ns) {
  if (now_ns < trimmed_ns_ + kTrimEveryNs) return;
  trimmed_ns_ = now_ns;
  malloc_trim(0);
}

}  // namespace taskmon::daemon
