// SPDX-License-Identifier: Apache-2.0
//
// Rows that were added to ticks after these had been stored (RingWriter::AddPast), as a scan merges them into its
// snapshots. Owned by one scan; snapshots come oldest first.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "storage/chunk.h"
#include "storage/snapshot_assembler.h"

namespace taskmon::storage {

class Supplement {
 public:
  Supplement(const ScanFilter& filter, std::string boot_id, SnapshotAssembler::FindInfo names)
      : filter_(filter), boot_id_(std::move(boot_id)), names_(std::move(names)) {}

  // A chunk of such rows; of two that have the same row of the same tick the one added later wins.
  void Add(ClosedChunk chunk);
  // Puts its rows of the snapshot's tick into the snapshot.
  absl::Status Merge(Snapshot* snapshot);

 private:
  struct Source {
    Source(ClosedChunk c, const ScanFilter& filter, const std::string& boot_id, SnapshotAssembler::FindInfo names)
        : chunk(std::move(c)), assembler(&chunk, filter, boot_id, std::move(names)) {}
    ClosedChunk chunk;
    SnapshotAssembler assembler;
  };

  const ScanFilter filter_;
  const std::string boot_id_;
  const SnapshotAssembler::FindInfo names_;
  std::deque<Source> sources_;
};

}  // namespace taskmon::storage
