// SPDX-License-Identifier: Apache-2.0
#include "daemon/smaps_reader.h"

#include <sys/resource.h>
#include <unistd.h>

#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "daemon/clocks.h"
#include "daemon/privileges.h"
#include "daemon/proc_files.h"
#include "daemon/recording_thread.h"

namespace taskmon::daemon {

std::optional<SmapsValues> ParseSmapsRollup(const std::string& text) {
  SmapsValues values;
  std::map<std::string, uint64_t*> wanted = {{"Shared_Dirty:", &values.shared_dirty},
                                             {"Shared_Clean:", &values.shared_clean},
                                             {"Private_Dirty:", &values.private_dirty},
                                             {"Private_Clean:", &values.private_clean},
                                             {"Referenced:", &values.referenced},
                                             {"LazyFree:", &values.lazyfree},
                                             {"SwapPss:", &values.swap_pss},
                                             {"Pss:", &values.pss}};
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string name;
    uint64_t kib = 0;
    if (!(fields >> name >> kib)) continue;
    auto field = wanted.find(name);
    if (field == wanted.end()) continue;
    *field->second = kib * 1024;
    wanted.erase(field);
  }
  return wanted.empty() ? std::optional<SmapsValues>(values) : std::nullopt;
}

void SmapsReader::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SmapsReader::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void SmapsReader::Post(std::vector<SmapsTarget> targets) {
  absl::MutexLock lock(&mutex_);
  posted_ = std::move(targets);
}

std::vector<SmapsAnswer> SmapsReader::TakeAnswers() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(answers_, {});
}

SmapsBudget::Stats SmapsReader::stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

void SmapsReader::Run() {
  const RecordingThread recording("tm-smaps");
  // Whoever takes the CPU from a read in progress prolongs the target's stall. Without the right to this it stays 0.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), -20);
  KeepCapabilitiesFor(Duty::kReadingProc).IgnoreError();  // fewer are never refused
  while (true) {
    std::vector<SmapsTarget> targets;
    {
      absl::MutexLock lock(&mutex_);
      auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || posted_.has_value(); };
      mutex_.Await(absl::Condition(&ready));
      if (stopping_) return;
      targets = *std::exchange(posted_, std::nullopt);
    }
    Round(std::move(targets));
  }
}

void SmapsReader::Round(std::vector<SmapsTarget> targets) {
  for (const SmapsTarget& target : budget_.Choose(std::move(targets), BootNowNs())) {
    SmapsAnswer answer;
    uint64_t stall_ns = 0;
    const bool read = Read(target, &answer, &stall_ns);
    budget_.OnRead(target, BootNowNs(), stall_ns, !read);
    absl::MutexLock lock(&mutex_);
    if (read) answers_.push_back(answer);
    if (stopping_) return;
  }
  absl::MutexLock lock(&mutex_);
  stats_ = budget_.stats();
}

bool SmapsReader::Read(const SmapsTarget& target, SmapsAnswer* answer, uint64_t* stall_ns) const {
  const std::string directory = fmt::format("{}/{}", proc_root_, target.tgid);
  const uint64_t began = BootNowNs();
  const std::string text = ReadUpTo(directory + "/smaps_rollup", 16384);
  const uint64_t ended = BootNowNs();
  *stall_ns = ended - began;
  const std::optional<SmapsValues> values = ParseSmapsRollup(text);
  // Read last: if the number still belongs to the process asked about, so did the text.
  if (!values || !StartedAt(ReadUpTo(directory + "/stat", 4096), target.start_ns)) return false;
  *answer = {target.tgid, target.start_ns, ended, *values};
  return true;
}

}  // namespace taskmon::daemon
