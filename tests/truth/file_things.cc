// SPDX-License-Identifier: Apache-2.0
// Files: buffered, direct, synchronised, cut; and descriptors.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tests/truth/thing.h"

namespace taskmon::truth {
namespace {

constexpr size_t kPage = 4096;

int fd = -1;
char* page;

void OpenScratch(int flags) {
  const std::string path = ScratchFile("file");
  fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);
  Must(fd >= 0, path.c_str());
  unlink(path.c_str());
  page = static_cast<char*>(std::aligned_alloc(kPage, kPage));
  std::fill(page, page + kPage, 'x');
}

void WritePages(int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    Must(pwrite(fd, page, kPage, i * static_cast<off_t>(kPage)) == kPage, "pwrite");
  }
}

void ReadPages(int64_t count, Report* report) {
  int64_t longest_ns = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin_ns = ReadClock(CLOCK_BOOTTIME);
    Must(pread(fd, page, kPage, i * static_cast<off_t>(kPage)) == kPage, "pread");
    longest_ns = std::max(longest_ns, ReadClock(CLOCK_BOOTTIME) - begin_ns);
  }
  report->Set("pages", count);
  report->Set("longest_ns", longest_ns);
}

void PrepareWrite(const Args&, Report*) { OpenScratch(0); }

void Write(const Args& args, Report* report) {
  WritePages(args[0]);
  report->Set("pages", args[0]);
}

void PrepareCold(const Args& args, Report*) {
  OpenScratch(0);
  WritePages(args[0]);
  Must(fsync(fd) == 0, "fsync");
  Must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  Must(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0, "posix_fadvise");  // no read-ahead: one page, one read
}

// Locked, so that reclaim takes none of them out of the page cache before it is read.
void PrepareHot(const Args& args, Report*) {
  OpenScratch(0);
  WritePages(args[0]);
  Must(fsync(fd) == 0, "fsync");
  const size_t size = static_cast<size_t>(args[0]) * kPage;
  void* const pages = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  Must(pages != MAP_FAILED && mlock(pages, size) == 0, "mmap and mlock");
}

void Read(const Args& args, Report* report) { ReadPages(args[0], report); }

std::string large;

void PrepareLarge(const Args& args, Report*) {
  OpenScratch(0);
  WritePages(args[0]);
  Must(fsync(fd) == 0, "fsync");
  Must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  large.resize(static_cast<size_t>(args[0]) * kPage, 'y');
}

// All in one call, with the kernel's read-ahead.
void ReadLarge(const Args& args, Report* report) {
  Must(pread(fd, large.data(), large.size(), 0) == static_cast<ssize_t>(large.size()), "pread");
  report->Set("pages", args[0]);
}

void PrepareDirect(const Args& args, Report*) {
  OpenScratch(O_DIRECT);
  WritePages(args[0]);  // so that no block need be allocated later
  Must(fsync(fd) == 0, "fsync");
}

void WriteDirect(const Args& args, Report* report) {
  int64_t longest_ns = 0;
  for (int64_t i = 0; i < args[0]; ++i) {
    const int64_t begin_ns = ReadClock(CLOCK_BOOTTIME);
    Must(pwrite(fd, page, kPage, i * static_cast<off_t>(kPage)) == kPage, "pwrite");
    longest_ns = std::max(longest_ns, ReadClock(CLOCK_BOOTTIME) - begin_ns);
  }
  report->Set("pages", args[0]);
  report->Set("longest_ns", longest_ns);
}

// One call, many requests at once, which wait for each other in the device's queue.
void PrepareDirectLarge(const Args& args, Report*) {
  OpenScratch(0);
  WritePages(args[0]);
  Must(fsync(fd) == 0, "fsync");
  Must(fcntl(fd, F_SETFL, O_DIRECT) == 0, "fcntl(O_DIRECT)");
  page = static_cast<char*>(std::aligned_alloc(kPage, static_cast<size_t>(args[0]) * kPage));
  std::fill(page, page + static_cast<size_t>(args[0]) * kPage, 'x');
}

void ReadDirectLarge(const Args& args, Report* report) {
  const auto size = static_cast<ssize_t>(static_cast<size_t>(args[0]) * kPage);
  Must(pread(fd, page, static_cast<size_t>(size), 0) == size, "pread");
  report->Set("pages", args[0]);
}

// args: rounds of a page written and synchronised.
void WriteAndSync(const Args& args, Report* report) {
  int64_t longest_ns = 0;
  for (int64_t i = 0; i < args[0]; ++i) {
    WritePages(1);
    const int64_t begin_ns = ReadClock(CLOCK_BOOTTIME);
    Must(fsync(fd) == 0, "fsync");
    longest_ns = std::max(longest_ns, ReadClock(CLOCK_BOOTTIME) - begin_ns);
  }
  report->Set("longest_ns", longest_ns);
}

void Cancel(const Args& args, Report* report) {
  WritePages(args[0]);
  Must(ftruncate(fd, 0) == 0, "ftruncate");
  report->Set("pages", args[0]);
}

void OpenFds(const Args& args, Report* report) {
  for (int64_t i = 0; i < args[0]; ++i) Must(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0, "open");
  report->Set("opened", args[0]);
}

void LimitFds(const Args& args, Report*) {
  const rlimit limit = {static_cast<rlim_t>(args[0]), static_cast<rlim_t>(args[0])};
  Must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

constexpr Thing kThings[] = {
    {"write", "PAGES", 1, PrepareWrite, Write},
    {"read_cold", "PAGES", 1, PrepareCold, Read},
    {"read_hot", "PAGES", 1, PrepareHot, Read},
    {"read_large", "PAGES, in one call", 1, PrepareLarge, ReadLarge},
    {"direct_read", "PAGES", 1, PrepareDirect, Read},
    {"direct_write", "PAGES", 1, PrepareDirect, WriteDirect},
    {"direct_large", "PAGES, in one call", 1, PrepareDirectLarge, ReadDirectLarge},
    {"fsync", "ROUNDS", 1, PrepareWrite, WriteAndSync},
    {"cancel", "PAGES", 1, PrepareWrite, Cancel},
    {"fds", "FDS", 1, nullptr, OpenFds},
    {"fd_limit", "FDS", 1, nullptr, LimitFds},
};

}  // namespace

std::span<const Thing> FileThings() { return kThings; }

}  // namespace taskmon::truth
