// SPDX-License-Identifier: Apache-2.0
#include "daemon/self_stats.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace taskmon::daemon {
namespace {

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

uint64_t OwnRssBytes() {
  std::istringstream statm(ReadAll("/proc/self/statm"));
  uint64_t size_pages = 0;
  uint64_t resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::optional<uint64_t> TaskCpuFromProcStat(const std::string& text) {
  std::istringstream line(text);
  std::string label;
  uint64_t user = 0;
  uint64_t nice = 0;
  uint64_t system = 0;
  if (!(line >> label >> user >> nice >> system) || label != "cpu") return std::nullopt;
  return (user + nice + system) * (1'000'000'000ull / static_cast<uint64_t>(sysconf(_SC_CLK_TCK)));
}

bool SelfStats::IsDue(uint64_t boot_ns) const {
  absl::MutexLock lock(&mutex_);
  if (points_.empty()) return true;
  return boot_ns >= points_.back().boot_ns + (points_.back().boot_ns - points_.front().boot_ns) / kPoints;
}

void SelfStats::OnTick(uint64_t boot_ns, OwnCpu own, uint64_t accounted_ns) {
  if (!IsDue(boot_ns)) return;
  const uint64_t kernel = TaskCpuFromProcStat(ReadAll("/proc/stat")).value_or(0);
  absl::MutexLock lock(&mutex_);
  points_.push_back({boot_ns, own, accounted_ns, kernel});
  while (points_.size() > 2 && points_[1].boot_ns + kWindowNs <= boot_ns) points_.pop_front();
}

SelfStats::Values SelfStats::Read() const {
  Values values;
  values.rss_bytes = OwnRssBytes();
  absl::MutexLock lock(&mutex_);
  if (points_.size() < 2) return values;
  const Point& first = points_.front();
  const Point& last = points_.back();
  const double elapsed = static_cast<double>(last.boot_ns - first.boot_ns);
  if (elapsed > 0) {
    const double recording = 100.0 * static_cast<double>(last.own.recording_ns - first.own.recording_ns) / elapsed;
    values.cpu_percent = 100.0 * static_cast<double>(last.own.all_ns - first.own.all_ns) / elapsed;
    values.serving_cpu_percent = std::max(values.cpu_percent - recording, 0.0);
  }
  const uint64_t kernel = last.kernel_ns - first.kernel_ns;
  // /proc/stat counts in ticks of 10 ms: below a second the quotient says nothing.
  if (last.kernel_ns >= first.kernel_ns && kernel >= 1'000'000'000) {
    values.accounted_percent = 100.0 * static_cast<double>(last.accounted_ns - first.accounted_ns) / kernel;
  }
  return values;
}

}  // namespace taskmon::daemon
