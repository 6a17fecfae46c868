// SPDX-License-Identifier: Apache-2.0
//
// Small helpers to read proc(5). They can block as the file does, so they are for threads that may wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace taskmon::daemon {

// Up to `limit` bytes; empty when the file is gone or unreadable.
std::string ReadUpTo(const std::string& path, size_t limit);

// Whether the text of /proc/TID/stat is of a task that started at that boot-clock time (proc shows whole clock ticks).
bool StartedAt(const std::string& stat, uint64_t start_ns);

}  // namespace taskmon::daemon
