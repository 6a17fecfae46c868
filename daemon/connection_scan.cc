// SPDX-License-Identifier: Apache-2.0
#include "daemon/connection_scan.h"

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "bpf/taskmon_abi.h"
#include "daemon/privileges.h"
#include "daemon/proc_files.h"
#include "daemon/recording_thread.h"

namespace taskmon::daemon {
namespace {

constexpr char kListening[] = "0A";
constexpr uint32_t kAllFlags = TM_TASK_TCP_USED | TM_TASK_UDP_USED;

class Directory {
 public:
  explicit Directory(const std::string& path) : entries_(opendir(path.c_str())) {}
  ~Directory() {
    if (entries_ != nullptr) closedir(entries_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  DIR* get() const { return entries_; }
  // nullptr: no more.
  const char* Next() const {
    const dirent* entry = entries_ == nullptr ? nullptr : readdir(entries_);
    return entry == nullptr ? nullptr : entry->d_name;
  }

 private:
  DIR* const entries_;
};

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// "socket:[12345]" → 12345; 0: something else.
uint64_t SocketInode(const char* target) {
  constexpr char kPrefix[] = "socket:[";
  if (std::strncmp(target, kPrefix, sizeof(kPrefix) - 1) != 0) return 0;
  return std::strtoull(target + sizeof(kPrefix) - 1, nullptr, 10);
}

std::string LinkOf(const std::string& path) {
  char target[256];
  const ssize_t n = readlink(path.c_str(), target, sizeof(target));
  return n <= 0 ? std::string() : std::string(target, static_cast<size_t>(n));
}

// The mount that all sockets lie in, by one of our own.
uint64_t SocketMountId() {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  const DescriptorInfo info = ParseDescriptorInfo(ReadUpTo(fmt::format("/proc/self/fdinfo/{}", fd), 4096));
  close(fd);
  return info.mount_id;
}

}  // namespace

DescriptorInfo ParseDescriptorInfo(const std::string& text) {
  DescriptorInfo info;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "mnt_id:") words >> info.mount_id;
    if (name == "ino:") words >> info.inode;
  }
  return info;
}

void ReadSocketTable(const std::string& text, uint32_t flag, std::map<uint64_t, uint32_t>* sockets) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);  // names of the columns
  while (std::getline(lines, line)) {
    // sl local remote st tx:rx tr:when retransmits uid timeout inode
    std::istringstream words(line);
    std::string word[10];
    for (std::string& each : word) words >> each;
    if (flag == TM_TASK_TCP_USED && word[3] == kListening) continue;
    const uint64_t inode = std::strtoull(word[9].c_str(), nullptr, 10);
    if (inode != 0) (*sockets)[inode] |= flag;
  }
}

void ConnectionScan::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ConnectionScan::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void ConnectionScan::Post(std::vector<ProcessId> processes) {
  absl::MutexLock lock(&mutex_);
  wanted_ = std::move(processes);
}

std::vector<OpenConnections> ConnectionScan::TakeAnswers() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(answers_, {});
}

bool ConnectionScan::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

void ConnectionScan::Run() {
  const RecordingThread recording("tm-conns");
  KeepCapabilitiesFor(Duty::kReadingFiles).IgnoreError();  // fewer are never refused
  while (true) {
    std::vector<ProcessId> wanted;
    {
      absl::MutexLock lock(&mutex_);
      auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !wanted_.empty(); };
      mutex_.Await(absl::Condition(&ready));
      if (stopping_) return;
      wanted = std::exchange(wanted_, {});
    }
    std::vector<OpenConnections> found = Look(wanted);
    absl::MutexLock lock(&mutex_);
    answers_.insert(answers_.end(), found.begin(), found.end());
  }
}

std::vector<OpenConnections> ConnectionScan::Look(const std::vector<ProcessId>& processes) {
  sockets_.clear();
  namespaces_.clear();
  if (socket_mount_id_ == 0) socket_mount_id_ = SocketMountId();
  std::vector<OpenConnections> found;
  for (const ProcessId& process : processes) {
    if (stopping()) break;
    const std::string directory = fmt::format("{}/{}", proc_root_, process.tgid);
    ReadNamespace(directory);
    const uint32_t flags = FlagsOf(directory);
    // Read last, as in NameReader: the number still belongs to whom was asked about.
    if (flags != 0 && StartedAt(ReadUpTo(directory + "/stat", 4096), process.start_ns)) {
      found.push_back({process, flags});
    }
  }
  return found;
}

// The sockets of the process's network namespace, unless they are known.
void ConnectionScan::ReadNamespace(const std::string& directory) {
  const std::string space = LinkOf(directory + "/ns/net");
  if (space.empty() || !namespaces_.insert(space).second) return;
  for (const char* table : {"tcp", "tcp6"}) {
    ReadSocketTable(ReadWhole(fmt::format("{}/net/{}", directory, table)), TM_TASK_TCP_USED, &sockets_);
  }
  for (const char* table : {"udp", "udp6"}) {
    ReadSocketTable(ReadWhole(fmt::format("{}/net/{}", directory, table)), TM_TASK_UDP_USED, &sockets_);
  }
}

uint32_t ConnectionScan::FlagsOf(const std::string& directory) const {
  bool refused = false;
  const uint32_t flags = FlagsOfLinks(directory + "/fd", &refused);
  return refused ? FlagsOfInfos(directory + "/fdinfo") : flags;
}

uint32_t ConnectionScan::FlagsOfLinks(const std::string& directory, bool* refused) const {
  const Directory entries(directory);
  *refused = entries.get() == nullptr && errno == EACCES;
  uint32_t flags = 0;
  while (const char* name = entries.Next()) {
    char target[64] = {};
    if (readlinkat(dirfd(entries.get()), name, target, sizeof(target) - 1) <= 0) continue;
    auto socket = sockets_.find(SocketInode(target));
    if (socket != sockets_.end()) flags |= socket->second;
    if (flags == kAllFlags) break;
  }
  return flags;
}

uint32_t ConnectionScan::FlagsOfInfos(const std::string& directory) const {
  if (socket_mount_id_ == 0) return 0;
  const Directory entries(directory);
  uint32_t flags = 0;
  while (const char* name = entries.Next()) {
    const DescriptorInfo info = ParseDescriptorInfo(ReadUpTo(fmt::format("{}/{}", directory, name), 4096));
    if (info.mount_id != socket_mount_id_) continue;
    auto socket = sockets_.find(info.inode);
    if (socket != sockets_.end()) flags |= socket->second;
    if (flags == kAllFlags) break;
  }
  return flags;
}

}  // namespace taskmon::daemon
