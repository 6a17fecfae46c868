// SPDX-License-Identifier: Apache-2.0
//
// A thing of which the truth tests do a counted number. `prepare` runs before the workload says that it is ready, so
// that what it costs is not part of the change; `act` does the thing and reports how much of it was done.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace taskmon::truth {

using Args = std::vector<int64_t>;

// Numbers, and lists of numbers, by name.
class Report {
 public:
  void Set(const std::string& name, int64_t value) { lists_[name] = {value}; }
  void Append(const std::string& name, int64_t value) {
    lists_[name].push_back(value);
    arrays_[name] = true;
  }
  // Members of a JSON object, without the braces.
  std::string Json() const;

 private:
  std::map<std::string, std::vector<int64_t>> lists_;
  std::map<std::string, bool> arrays_;
};

struct Thing {
  const char* name;
  const char* help;  // its arguments
  size_t args;
  void (*prepare)(const Args& args, Report* report);  // may be null
  void (*act)(const Args& args, Report* report);
};

std::span<const Thing> LifeThings();
std::span<const Thing> SchedThings();
std::span<const Thing> MemoryThings();
std::span<const Thing> FileThings();
std::span<const Thing> SocketThings();

// Ends the workload with a message when `ok` is false.
void Must(bool ok, const char* what);

int64_t ReadClock(clockid_t clock);

// Burns so much CPU time, by the thread's own clock.
void Burn(int64_t cpu_ns);

// Confines the calling thread.
void PinTo(int cpu);

// A file of the scratch directory, which lies on a disk.
std::string ScratchFile(const std::string& name);

// The program itself, to be executed once more.
void ExecAgain(int64_t times_left);

}  // namespace taskmon::truth
