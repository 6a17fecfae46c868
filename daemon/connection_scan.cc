// SPDX-License-Identifier: Apache-2.0
#include "daemon/connection_scan.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "bpf/taskmon_abi.h"
#include "daemon/proc_files.h"

namespace taskmon::daemon {
namespace {

constexpr char kListening[] = "0A";

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

}  // namespace

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
  pthread_setname_np(pthread_self(), "tm-conns");
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
  const std::string descriptors = directory + "/fd";
  DIR* entries = opendir(descriptors.c_str());
  if (entries == nullptr) return 0;
  uint32_t flags = 0;
  while (const dirent* entry = readdir(entries)) {
    char target[64] = {};
    if (readlinkat(dirfd(entries), entry->d_name, target, sizeof(target) - 1) <= 0) continue;
    auto socket = sockets_.find(SocketInode(target));
    if (socket != sockets_.end()) flags |= socket->second;
    if (flags == (TM_TASK_TCP_USED | TM_TASK_UDP_USED)) break;
  }
  closedir(entries);
  return flags;
}

}  // namespace taskmon::daemon
