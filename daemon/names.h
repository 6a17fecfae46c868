// SPDX-License-Identifier: Apache-2.0
//
// Names that the kernel records do not carry: command line, executable, cgroup path, user. Reading them can block (a
// task's mmap lock, NSS), so one thread, tm-names, does it and nothing waits for it; answers arrive a tick later.
//
// The sampler posts requests and takes answers; both queues are bounded, and a full one is counted.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "storage/shared_text.h"

namespace taskmon::daemon {

// What a cgroup path says about who runs the task. unit and container are empty when it says nothing.
struct CgroupIdentity {
  SharedText path;
  SharedText unit;
  SharedText container;
};

// Pure: "/system.slice/ssh.service" → unit ssh.service; "/docker/<64 hex>" and its kin → container, first 12 digits.
CgroupIdentity ParseCgroupPath(const std::string& path);

struct CgroupPath {
  std::string path;
  bool unified = false;  // in the v2 hierarchy: who has the same cgroup id has the same path
  bool operator==(const CgroupPath&) const = default;
};

// The text of /proc/TID/cgroup → the path in the v2 hierarchy, or systemd's own where v2 says only "/".
CgroupPath CgroupPathFromProc(const std::string& text);

// A command line as the kernel holds it, a NUL after each argument → the arguments joined by blanks. Pure.
std::string JoinArguments(std::string raw);

// A command line of more than kLongestCommandLine bytes keeps its beginning and its last 1 KiB, with " … " between: a
// Java program's class path is long, and what tells the program comes after it. Pure.
inline constexpr size_t kLongestCommandLine = 4096;
std::string ShortenCommandLine(std::string text);

struct NameRequest {
  int32_t tgid = 0;  // 0: only the user is wanted
  uint64_t start_ns = 0;
  uint64_t cgroup_id = 0;
  bool cmdline = false;
  bool exe = false;
  bool cgroup = false;
  uint32_t uid = 0;
  bool user = false;
};

struct NameAnswer {
  NameRequest request;
  bool found = false;  // the process was still there
  std::string cmdline;
  std::string exe;
  CgroupIdentity cgroup;
  bool cgroup_unified = false;  // as in CgroupPath
  std::string user;
};

class NameReader {
 public:
  explicit NameReader(std::string proc_root = "/proc") : proc_root_(std::move(proc_root)) {}
  ~NameReader() { Stop(); }

  void Start();
  void Stop();

  void Post(std::vector<NameRequest> requests) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<NameAnswer> TakeAnswers() ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t dropped() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kMaxQueued = 200'000;

  void Run();
  NameAnswer Resolve(const NameRequest& request) const;

  const std::string proc_root_;
  std::thread thread_;
  mutable absl::Mutex mutex_;
  std::deque<NameRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<NameAnswer> answers_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace taskmon::daemon
