// SPDX-License-Identifier: Apache-2.0
#include "daemon/names.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <sstream>

#include <fmt/format.h>

#include "daemon/privileges.h"
#include "daemon/proc_files.h"
#include "daemon/recording_thread.h"

namespace taskmon::daemon {
namespace {

constexpr size_t kMaxCmdline = 256 * 1024;  // read; what is kept is shorter
constexpr size_t kKeptEnd = 1024;
constexpr size_t kContainerDigits = 12;

std::string ReadLink(const std::string& path) {
  char target[4096];
  const ssize_t n = readlink(path.c_str(), target, sizeof(target));
  return n <= 0 ? std::string() : std::string(target, static_cast<size_t>(n));
}

std::string UserName(uint32_t uid) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return found->pw_name;
}

bool IsHexId(const std::string& text) {
  return text.size() >= 32 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

// "docker-<id>.scope", "cri-containerd-<id>.scope", "<id>", "libpod-<id>.scope" → <id>; empty: not a container.
std::string ContainerId(std::string component) {
  if (component.ends_with(".scope")) component.resize(component.size() - 6);
  const size_t dash = component.rfind('-');
  if (dash != std::string::npos) component.erase(0, dash + 1);
  return IsHexId(component) ? component.substr(0, kContainerDigits) : std::string();
}

bool IsUnit(const std::string& component) {
  return component.ends_with(".service") || component.ends_with(".scope") || component.ends_with(".socket") ||
         component.ends_with(".mount") || component.ends_with(".swap");
}

}  // namespace

std::string JoinArguments(std::string raw) {
  while (!raw.empty() && raw.back() == '\0') raw.pop_back();
  std::replace(raw.begin(), raw.end(), '\0', ' ');
  return raw;
}

std::string ShortenCommandLine(std::string text) {
  constexpr std::string_view kCut = " … ";
  if (text.size() <= kLongestCommandLine) return text;
  std::string end = text.substr(text.size() - kKeptEnd);
  text.resize(kLongestCommandLine - kKeptEnd - kCut.size());
  return text.append(kCut).append(end);
}

CgroupIdentity ParseCgroupPath(const std::string& path) {
  CgroupIdentity identity{.path = path};
  std::istringstream components(path);
  std::string component;
  while (std::getline(components, component, '/')) {
    // The innermost unit and container win: a user's service runs inside user@1000.service.
    if (IsUnit(component)) identity.unit = component;
    if (std::string id = ContainerId(component); !id.empty()) identity.container = id;
    if (component.starts_with("lxc.payload.")) identity.container = component.substr(strlen("lxc.payload."));
  }
  return identity;
}

CgroupPath CgroupPathFromProc(const std::string& text) {
  std::string unified;
  std::string systemd;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with("0::")) unified = line.substr(3);
    const size_t named = line.find(":name=systemd:");
    if (named != std::string::npos) systemd = line.substr(named + strlen(":name=systemd:"));
  }
  if (unified.size() > 1 || systemd.empty()) return {unified, !unified.empty()};
  return {systemd, false};
}

void NameReader::Start() {
  thread_ = std::thread([this] { Run(); });
}

void NameReader::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void NameReader::Post(std::vector<NameRequest> requests) {
  absl::MutexLock lock(&mutex_);
  for (NameRequest& request : requests) {
    if (requests_.size() >= kMaxQueued) {
      ++dropped_;
    } else {
      requests_.push_back(std::move(request));
    }
  }
}

std::vector<NameAnswer> NameReader::TakeAnswers() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(answers_, {});
}

uint64_t NameReader::dropped() const {
  absl::MutexLock lock(&mutex_);
  return dropped_;
}

void NameReader::Run() {
  const RecordingThread recording("tm-names");
  KeepCapabilitiesFor(Duty::kReadingProc).IgnoreError();  // fewer are never refused
  while (true) {
    NameRequest request;
    {
      absl::MutexLock lock(&mutex_);
      auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !requests_.empty(); };
      mutex_.Await(absl::Condition(&ready));
      if (stopping_) return;
      request = std::move(requests_.front());
      requests_.pop_front();
    }
    NameAnswer answer = Resolve(request);
    absl::MutexLock lock(&mutex_);
    answers_.push_back(std::move(answer));
  }
}

NameAnswer NameReader::Resolve(const NameRequest& request) const {
  NameAnswer answer{.request = request};
  if (request.user) answer.user = UserName(request.uid);
  if (request.tgid == 0) return answer;
  const std::string directory = fmt::format("{}/{}", proc_root_, request.tgid);
  if (request.cmdline) {
    // Few are long: the large buffer is for those alone.
    std::string raw = ReadUpTo(directory + "/cmdline", kLongestCommandLine + 1);
    if (raw.size() > kLongestCommandLine) raw = ReadUpTo(directory + "/cmdline", kMaxCmdline);
    answer.cmdline = ShortenCommandLine(JoinArguments(std::move(raw)));
  }
  if (request.exe) answer.exe = ReadLink(directory + "/exe");
  if (request.cgroup) {
    const CgroupPath cgroup = CgroupPathFromProc(ReadUpTo(directory + "/cgroup", 16384));
    answer.cgroup = ParseCgroupPath(cgroup.path);
    answer.cgroup_unified = cgroup.unified;
  }
  // Read last: if the number still belongs to the process that was asked about, so did everything read before.
  answer.found = StartedAt(ReadUpTo(directory + "/stat", 4096), request.start_ns);
  return answer;
}

}  // namespace taskmon::daemon
