// SPDX-License-Identifier: Apache-2.0
//
// Which processes have TCP or UDP connections that were made before a hook could see them. After each attaching of the
// connection hooks one thread, tm-conns, looks: /proc/PID/net/{tcp,tcp6,udp,udp6} of one process in each network
// namespace tell the inodes of the sockets, /proc/PID/fd who has them. No lock of a task is held, and nothing waits.
// To list /proc/PID/fd takes CAP_DAC_READ_SEARCH, with which every file could be read; without it /proc/PID/fdinfo
// says the same since Linux 5.14, in some more calls.
//
// A listening TCP socket is no connection; every open UDP socket counts.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

namespace taskmon::daemon {

struct ProcessId {
  int32_t tgid = 0;
  uint64_t start_ns = 0;
};

struct OpenConnections {
  ProcessId process;
  uint32_t used_flags = 0;  // TM_TASK_TCP_USED, TM_TASK_UDP_USED
};

// Pure. What /proc/PID/fdinfo/N says of a descriptor; 0: not said, as before Linux 5.14.
struct DescriptorInfo {
  uint64_t mount_id = 0;
  uint64_t inode = 0;
};
DescriptorInfo ParseDescriptorInfo(const std::string& text);

// Pure. The sockets of a text such as /proc/net/tcp, by inode: `flag` for each that counts as a connection.
void ReadSocketTable(const std::string& text, uint32_t flag, std::map<uint64_t, uint32_t>* sockets);

class ConnectionScan {
 public:
  explicit ConnectionScan(std::string proc_root = "/proc") : proc_root_(std::move(proc_root)) {}
  ~ConnectionScan() { Stop(); }

  void Start();
  void Stop();

  // Asks for a look at these; replaces a list that was not begun yet.
  void Post(std::vector<ProcessId> processes) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<OpenConnections> TakeAnswers() ABSL_LOCKS_EXCLUDED(mutex_);

  // Those of the processes that have any, on the caller's thread.
  std::vector<OpenConnections> Look(const std::vector<ProcessId>& processes);

 private:
  void Run();
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadNamespace(const std::string& directory);
  uint32_t FlagsOf(const std::string& directory) const;
  uint32_t FlagsOfLinks(const std::string& directory, bool* refused) const;
  uint32_t FlagsOfInfos(const std::string& directory) const;

  const std::string proc_root_;
  std::map<uint64_t, uint32_t> sockets_;  // of the look under way, by inode
  std::set<std::string> namespaces_;      // … read already
  uint64_t socket_mount_id_ = 0;          // which all sockets have; 0: not known yet
  std::thread thread_;
  mutable absl::Mutex mutex_;
  std::vector<ProcessId> wanted_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<OpenConnections> answers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskmon::daemon
