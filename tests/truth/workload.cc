// SPDX-License-Identifier: Apache-2.0
//
//     truth_workload [--thread | --leader-exits] [--last] [--dir SCRATCH] THING [ARG...]
//
// Does a counted number of a thing for the truth tests. Standard input and output are pipes to the test:
//
//     workload                                test
//     prepare; {"ready": ...}          -->    asks taskmond: before
//                                      <--    one byte
//     act; {what it did, what the      -->    asks taskmond: after; reads /proc/TID/* as a witness
//           kernel told it}            <--    end of file
//     _exit at once                           reads the final record
//
// From "ready" to the end it does nothing beside the thing but one read of one byte, one write of one line, and one
// read of nothing. With --last it acts after the end of file instead, so that what it did is in the final record,
// maxima too. With --thread all of it happens in a second thread while the leader sleeps in join; with --leader-exits
// the leader ends instead.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/truth/thing.h"

namespace taskmon::truth {
namespace {

struct CommandLine {
  bool thread = false;
  bool leader_exits = false;
  bool last = false;
  int64_t execs_left = -1;  // not negative: started by ExecAgain
  const Thing* thing = nullptr;
  Args args;
};

std::string scratch_dir = ".";
std::vector<std::string> thing_words;

const Thing* Find(const std::string& name) {
  for (const auto things : {LifeThings(), SchedThings(), MemoryThings(), FileThings(), SocketThings()}) {
    for (const Thing& thing : things) {
      if (name == thing.name) return &thing;
    }
  }
  return nullptr;
}

[[noreturn]] void Usage() {
  std::fprintf(stderr, "truth_workload [--thread | --leader-exits] [--last] [--dir SCRATCH] THING [ARG...]\n");
  for (const auto things : {LifeThings(), SchedThings(), MemoryThings(), FileThings(), SocketThings()}) {
    for (const Thing& thing : things) std::fprintf(stderr, "  %-14s %s\n", thing.name, thing.help);
  }
  std::exit(2);
}

CommandLine Parse(int argc, char** argv) {
  CommandLine line;
  int i = 1;
  for (; i < argc && std::strncmp(argv[i], "--", 2) == 0; ++i) {
    const std::string word = argv[i];
    if (word == "--thread") {
      line.thread = true;
    } else if (word == "--leader-exits") {
      line.thread = line.leader_exits = true;
    } else if (word == "--last") {
      line.last = true;
    } else if (word == "--dir" && i + 1 < argc) {
      scratch_dir = argv[++i];
    } else if (word == "--execs-left" && i + 1 < argc) {
      line.execs_left = std::atoll(argv[++i]);
    } else {
      Usage();
    }
  }
  if (i >= argc || (line.thing = Find(argv[i])) == nullptr) Usage();
  thing_words.assign(argv + i, argv + argc);
  for (++i; i < argc; ++i) line.args.push_back(std::atoll(argv[i]));
  if (line.args.size() != line.thing->args) Usage();
  return line;
}

void WriteLine(const std::string& json) {
  const std::string line = "{" + json + "}\n";
  Must(write(STDOUT_FILENO, line.data(), line.size()) == static_cast<ssize_t>(line.size()), "write");
}

// What the kernel says of the calling thread.
struct Kernel {
  rusage usage;
  int64_t cpu_ns;
  int64_t boot_ns;
  int64_t wall_ns;

  static Kernel Now() {
    Kernel now;
    getrusage(RUSAGE_THREAD, &now.usage);
    now.cpu_ns = ReadClock(CLOCK_THREAD_CPUTIME_ID);
    now.boot_ns = ReadClock(CLOCK_BOOTTIME);
    now.wall_ns = ReadClock(CLOCK_REALTIME);
    return now;
  }
};

int64_t Microseconds(const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; }

void ReportKernel(const Kernel& begin, const Kernel& end, Report* report) {
  report->Set("minflt", end.usage.ru_minflt - begin.usage.ru_minflt);
  report->Set("majflt", end.usage.ru_majflt - begin.usage.ru_majflt);
  report->Set("nvcsw", end.usage.ru_nvcsw - begin.usage.ru_nvcsw);
  report->Set("nivcsw", end.usage.ru_nivcsw - begin.usage.ru_nivcsw);
  report->Set("utime_us", Microseconds(end.usage.ru_utime) - Microseconds(begin.usage.ru_utime));
  report->Set("stime_us", Microseconds(end.usage.ru_stime) - Microseconds(begin.usage.ru_stime));
  report->Set("cpu_ns", end.cpu_ns - begin.cpu_ns);
  report->Set("begin_boot_ns", begin.boot_ns);
  report->Set("end_boot_ns", end.boot_ns);
  report->Set("begin_wall_ns", begin.wall_ns);
  report->Set("end_wall_ns", end.wall_ns);
}

void WaitForTest() {
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

void Play(const CommandLine& line) {
  Report ready;
  if (line.thing->prepare != nullptr) line.thing->prepare(line.args, &ready);
  // Once for nothing, so that no code path is run for the first time, with its page faults, while we are watched.
  Report result;
  ReportKernel(Kernel::Now(), Kernel::Now(), &result);
  const std::string touched = result.Json();
  ready.Set("tid", gettid());
  ready.Set("pid", getpid());
  ready.Set("warm", static_cast<int64_t>(touched.size()));
  WriteLine(ready.Json());
  char go;
  Must(read(STDIN_FILENO, &go, 1) == 1, "read the test's word to go");
  if (line.last) WaitForTest();
  const Kernel begin = Kernel::Now();
  line.thing->act(line.args, &result);
  ReportKernel(begin, Kernel::Now(), &result);
  WriteLine(result.Json());
  if (!line.last) WaitForTest();
}

// The act went on beyond exec.
void PlayAfterExec(const CommandLine& line) {
  if (line.execs_left > 0) ExecAgain(line.execs_left - 1);
  Report result;
  result.Set("tid", gettid());
  result.Set("pid", getpid());
  WriteLine(result.Json());
  WaitForTest();
}

void* PlayInThread(void* line) {
  Play(*static_cast<const CommandLine*>(line));
  return nullptr;
}

void PlayWithThread(const CommandLine& line) {
  pthread_t thread;
  Must(pthread_create(&thread, nullptr, PlayInThread, const_cast<CommandLine*>(&line)) == 0, "pthread_create");
  if (line.leader_exits) pthread_exit(nullptr);
  pthread_join(thread, nullptr);
}

}  // namespace

std::string Report::Json() const {
  std::string text;
  for (const auto& [name, values] : lists_) {
    std::string value;
    for (const int64_t each : values) value += (value.empty() ? "" : ", ") + std::to_string(each);
    if (arrays_.contains(name)) value = "[" + value + "]";
    text += (text.empty() ? "\"" : ", \"") + name + "\": " + value;
  }
  return text;
}

void Must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "truth_workload: %s: %s\n", what, std::strerror(errno));
  _exit(99);
}

int64_t ReadClock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

void Burn(int64_t cpu_ns) {
  const int64_t until = ReadClock(CLOCK_THREAD_CPUTIME_ID) + cpu_ns;
  volatile uint64_t sink = 0;
  while (ReadClock(CLOCK_THREAD_CPUTIME_ID) < until) {
    for (int i = 0; i < 20'000; ++i) sink = sink + static_cast<uint64_t>(i);
  }
}

void PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  Must(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

std::string ScratchFile(const std::string& name) {
  return scratch_dir + "/" + name + "." + std::to_string(getpid()) + "." + std::to_string(gettid());
}

void ExecAgain(int64_t times_left) {
  std::vector<std::string> words = {"truth_workload", "--execs-left", std::to_string(times_left)};
  words.insert(words.end(), thing_words.begin(), thing_words.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv("/proc/self/exe", argv.data());
  Must(false, "execv");
}

}  // namespace taskmon::truth

int main(int argc, char** argv) {
  using namespace taskmon::truth;
  static const CommandLine line = Parse(argc, argv);  // outlives a leader that exits
  if (line.execs_left >= 0) {
    PlayAfterExec(line);
  } else if (line.thread) {
    PlayWithThread(line);
  } else {
    Play(line);
  }
  _exit(0);
}
