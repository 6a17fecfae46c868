// SPDX-License-Identifier: Apache-2.0
//
// Small machines for the fuzzer of requests: a live tick and a history file, with tasks of three users. Two machines
// that differ in `secret` alone differ in nothing but what is guarded from an ordinary user: metrics of other users'
// tasks that need a ptrace check, their executables' paths, and with `hides_cmdlines` their command lines.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/query/caller.h"
#include "daemon/query/engine.h"
#include "storage/sample.h"

namespace taskmon::fuzz {

inline constexpr uint32_t kOrdinaryUid = 1000;  // whose tasks are the same on all machines

class Machine {
 public:
  Machine(uint64_t secret, bool hides_cmdlines);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  const query::Engine& engine() const { return *engine_; }
  const Snapshot& newest() const { return *newest_; }
  const std::string& directory() const { return directory_; }
  std::string ring_path() const { return directory_ + "/history.db"; }

 private:
  std::string directory_;  // of its own, removed at the end
  std::shared_ptr<const Snapshot> newest_;
  std::unique_ptr<query::Engine> engine_;
};

}  // namespace taskmon::fuzz
