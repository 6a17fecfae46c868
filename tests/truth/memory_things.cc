// SPDX-License-Identifier: Apache-2.0
// Faults and sizes. Huge pages stay off, so that one page touched is one fault.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <ctime>

#include "tests/truth/thing.h"

namespace taskmon::truth {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kMiB = 1 << 20;

char* Map(size_t bytes, int flags, int fd) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  Must(memory != MAP_FAILED, "mmap");
  Must(madvise(memory, bytes, MADV_NOHUGEPAGE) == 0, "madvise(MADV_NOHUGEPAGE)");
  return static_cast<char*>(memory);
}

char* MapAnonymous(size_t bytes) { return Map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

// Each page of its own content: equal pages could be merged.
void Touch(char* memory, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kPage) std::memcpy(memory + at, &at, sizeof(at));
}

int MakeFile(const std::string& path, size_t bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  Must(fd >= 0, path.c_str());
  unlink(path.c_str());
  const std::string mib(kMiB, 'x');
  for (size_t at = 0; at < bytes; at += kMiB) Must(write(fd, mib.data(), kMiB) == kMiB, "write");
  Must(fsync(fd) == 0, "fsync");
  return fd;
}

char* anonymous;

void PrepareMinor(const Args& args, Report*) { anonymous = MapAnonymous(static_cast<size_t>(args[0]) * kPage); }

void FaultMinor(const Args& args, Report* report) {
  Touch(anonymous, static_cast<size_t>(args[0]) * kPage);
  report->Set("pages", args[0]);
}

char* cold_file;

void PrepareMajor(const Args& args, Report*) {
  const size_t bytes = (static_cast<size_t>(args[0]) * kPage + kMiB - 1) / kMiB * kMiB;
  const int fd = MakeFile(ScratchFile("major"), bytes);
  Must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  cold_file = Map(bytes, MAP_SHARED, fd);
  Must(madvise(cold_file, bytes, MADV_RANDOM) == 0, "madvise(MADV_RANDOM)");  // no read-ahead: one page, one read
}

void FaultMajor(const Args& args, Report* report) {
  int64_t sum = 0;
  for (int64_t i = 0; i < args[0]; ++i) sum += static_cast<volatile char*>(cold_file)[static_cast<size_t>(i) * kPage];
  report->Set("pages", sum / 'x');
}

// args: MiB of anonymous, file and shared memory.
void Hold(const Args& args, Report*) {
  const size_t file = static_cast<size_t>(args[1]) * kMiB;
  Touch(MapAnonymous(static_cast<size_t>(args[0]) * kMiB), static_cast<size_t>(args[0]) * kMiB);
  char* mapped = Map(file, MAP_PRIVATE, MakeFile(ScratchFile("held"), file));
  int64_t sum = 0;
  for (size_t at = 0; at < file; at += kPage) sum += static_cast<volatile char*>(mapped)[at];
  Must(sum > 0, "file memory");
  const size_t shared = static_cast<size_t>(args[2]) * kMiB;
  Touch(Map(shared, MAP_SHARED | MAP_ANONYMOUS, -1), shared);
}

void Peak(const Args& args, Report*) {
  const size_t bytes = static_cast<size_t>(args[0]) * kMiB;
  char* memory = MapAnonymous(bytes);
  Touch(memory, bytes);
  Must(munmap(memory, bytes) == 0, "munmap");
}

// The child touches the file pages, for it has no page tables of them until it does.
void ShareWithChild(char* file, size_t bytes) {
  int told[2];
  Must(pipe2(told, O_CLOEXEC) == 0, "pipe2");
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    madvise(file, bytes, MADV_POPULATE_READ);
    if (write(told[1], "x", 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte;
  Must(child > 0 && read(told[0], &byte, 1) == 1, "fork");
}

// args: MiB dirty and shared with a child, shared and clean, private and clean, freed lazily, told to be swapped out.
void HoldEveryKind(const Args& args, Report*) {
  const size_t shared_dirty = static_cast<size_t>(args[0]) * kMiB;
  const size_t shared_clean = static_cast<size_t>(args[1]) * kMiB;
  const size_t private_clean = static_cast<size_t>(args[2]) * kMiB;
  const size_t lazy = static_cast<size_t>(args[3]) * kMiB;
  const size_t swapped = static_cast<size_t>(args[4]) * kMiB;
  Touch(MapAnonymous(shared_dirty), shared_dirty);
  char* read_by_both = Map(shared_clean, MAP_SHARED, MakeFile(ScratchFile("both"), shared_clean));
  Must(madvise(read_by_both, shared_clean, MADV_POPULATE_READ) == 0, "madvise(MADV_POPULATE_READ)");
  ShareWithChild(read_by_both, shared_clean);
  char* again = Map(private_clean, MAP_SHARED, MakeFile(ScratchFile("mine"), private_clean));
  Must(madvise(again, private_clean, MADV_POPULATE_READ) == 0, "madvise(MADV_POPULATE_READ)");
  char* free_lazily = MapAnonymous(lazy);
  Touch(free_lazily, lazy);
  Must(madvise(free_lazily, lazy, MADV_FREE) == 0, "madvise(MADV_FREE)");
  char* out = MapAnonymous(swapped);
  Touch(out, swapped);
  Must(madvise(out, swapped, MADV_PAGEOUT) == 0, "madvise(MADV_PAGEOUT)");
}

int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

void PrepareStalls(const Args& args, Report*) {
  const size_t bytes = static_cast<size_t>(args[0]) * kMiB;
  Touch(MapAnonymous(bytes), bytes);
}

// Takes its own memory map's lock, again and again, and looks how long that takes at worst.
void FeelStalls(const Args& args, Report* report) {
  const int64_t end = NowNs() + args[1] * 1'000'000;
  int64_t longest = 0, rounds = 0;
  for (int64_t before = NowNs(); before < end; ++rounds) {
    Must(munmap(MapAnonymous(kPage), kPage) == 0, "munmap");
    const int64_t after = NowNs();
    longest = std::max(longest, after - before);
    before = after;
  }
  report->Set("longest_ns", longest);
  report->Set("rounds", rounds);
}

// More than its memory cgroup allows: meant to be killed.
void EatMemory(const Args& args, Report*) {
  const size_t bytes = static_cast<size_t>(args[0]) * kMiB;
  Touch(MapAnonymous(bytes), bytes);
}

constexpr Thing kThings[] = {
    {"minor", "PAGES", 1, PrepareMinor, FaultMinor},
    {"major", "PAGES", 1, PrepareMajor, FaultMajor},
    {"hold", "ANONYMOUS_MIB FILE_MIB SHARED_MIB", 3, nullptr, Hold},
    {"peak", "MIB", 1, nullptr, Peak},
    {"every_kind", "SHARED_DIRTY SHARED_CLEAN PRIVATE_CLEAN LAZY SWAPPED, in MiB", 5, nullptr, HoldEveryKind},
    {"stalls", "RESIDENT_MIB MS", 2, PrepareStalls, FeelStalls},
    {"eat", "MIB", 1, nullptr, EatMemory},
};

}  // namespace

std::span<const Thing> MemoryThings() { return kThings; }

}  // namespace taskmon::truth
