// SPDX-License-Identifier: Apache-2.0
//
// A disk that fails when it is told to: a VFS between SQLite and the real one, the process's default while it lives. It
// counts the calls of one kind and lets some of them fail; nothing is ever synced for real, so that a test may try
// every call there is. One at a time, one thread.
#pragma once

#include <cstdint>
#include <string>

namespace taskmon::storage {

class FaultyDisk {
 public:
  enum class Call { kOpen, kRead, kWrite, kSync, kTruncate, kMapShared, kDelete };
  static constexpr Call kCalls[] = {Call::kOpen,     Call::kRead,      Call::kWrite, Call::kSync,
                                    Call::kTruncate, Call::kMapShared, Call::kDelete};

  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // From now on the n-th call of this kind, counted from 1, fails, and so do the `more` calls of the kind after it.
  void Fail(Call call, uint64_t n, uint64_t more = 0);
  void Mend();
  uint64_t faults() const;  // since Fail

  static std::string Name(Call call);
};

}  // namespace taskmon::storage
