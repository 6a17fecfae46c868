// SPDX-License-Identifier: Apache-2.0
//
// Cuts a stretch of the history into a file of its own and sends it, for taskmond and for taskmonctl --file. The file
// has what the caller may see: root and group taskmon-admin all, others of the tasks of other users only what /proc
// shows them. It says for whom it was made, so that its readers call what is left out redacted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "daemon/query/caller.h"
#include "storage/ring_reader.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::query {

// Where the file lies until it is sent.
struct CutPlace {
  std::string directory;
  uint64_t max_bytes = 4ull << 30;
  uint64_t keep_free_bytes = 64ull << 20;  // of the disk
};

// Pieces: progress while it is cut, then the file, its summary with the last one. False: the receiver is gone.
using PieceSink = std::function<bool(const v1::SnapshotPiece&)>;

// OutOfRange: nothing was recorded between the times. ResourceExhausted: larger than max_bytes, or than there is room.
// Cancelled: the sink said so. Nothing stays behind.
absl::Status SendCut(const std::string& source, const storage::TimeRange& range, bool anonymize, const CutPlace& place,
                     const Caller& caller, const PieceSink& sink);

// Removes what a crash left of cuts in the directory.
void RemoveLeftCuts(const std::string& directory);

// Who a reader of the file is: one who sees everything in it, or whom it was made for. An error reads as everything:
// whatever is wrong with the file will be told by the next to open it.
Caller ReaderOf(const std::string& path, uint32_t uid);

}  // namespace taskmon::query
