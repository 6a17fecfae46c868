// SPDX-License-Identifier: Apache-2.0
//
// The counting hooks, each against a workload that does a counted number of the thing.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "bpf/abi_names.h"
#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {
namespace {

constexpr size_t kPage = 4096;

class HooksTest : public ProbeTest {
 protected:
  uint64_t CountOf(tm_hook_group group, tm_counter counter, const Child::Body& body) {
    Start({TM_HOOKS_LIFECYCLE, group});
    if (IsSkipped()) return 0;
    const auto final = FinalOf(body);
    EXPECT_EQ(final.exit_code, 0);
    return final.counters[counter];
  }
};

// A file on disk, with its pages on disk and out of the cache.
class ColdFile {
 public:
  explicit ColdFile(size_t pages) {
    const int fd = mkstemp(path_);
    const std::string page(kPage, 'x');
    for (size_t i = 0; i < pages; ++i) {
      if (write(fd, page.data(), page.size()) != static_cast<ssize_t>(kPage)) std::abort();
    }
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
  ~ColdFile() { unlink(path_); }
  ColdFile(const ColdFile&) = delete;
  ColdFile& operator=(const ColdFile&) = delete;
  const char* path() const { return path_; }

 private:
  char path_[40] = "/var/tmp/taskmon-hooks-XXXXXX";
};

void Ignore(int) {}

TEST_F(HooksTest, SignalsCountWhenTheyAreTaken) {
  const uint64_t signals = CountOf(TM_HOOKS_SIGNAL, TM_C_SIGNALS, [] {
    signal(SIGUSR1, Ignore);
    signal(SIGUSR2, SIG_IGN);
    for (int i = 0; i < 5; ++i) raise(SIGUSR1);
    for (int i = 0; i < 5; ++i) raise(SIGUSR2);  // ignored: never delivered
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    for (int i = 0; i < 6; ++i) kill(getpid(), SIGUSR1);  // merge into one
    sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
    return 0;
  });
  EXPECT_EQ(signals, 6u);
}

TEST_F(HooksTest, FailedCallsCountAndRestartedOnesDoNot) {
  const uint64_t fails = CountOf(TM_HOOKS_SYSCALL, TM_C_SYSCALL_FAILS, [] {
    int pipe_fds[2];
    if (pipe(pipe_fds) != 0) return 1;
    char byte;
    for (int i = 0; i < 7; ++i) {
      if (read(-1, &byte, 1) == 0) return 1;  // number 0 on x86-64
    }
    for (int i = 0; i < 10; ++i) {
      if (close(-1) == 0) return 1;
    }
    // Interrupted while blocked, restarted, then done: not a failure.
    const pid_t parent = getpid();
    struct sigaction action {};
    action.sa_handler = Ignore;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    const pid_t helper = fork();
    if (helper == 0) {
      AwaitState(parent, 'S');
      kill(parent, SIGUSR1);
      usleep(20'000);
      _exit(write(pipe_fds[1], "x", 1) == 1 ? 0 : 1);
    }
    if (read(pipe_fds[0], &byte, 1) != 1) return 1;
    signal(SIGUSR1, SIG_IGN);
    return 0;
  });
  EXPECT_EQ(fails, 17u);
}

TEST_F(HooksTest, NothingIsCountedWhileDetached) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_SYSCALL});
  if (IsSkipped()) return;
  probe_->Detach(TM_HOOKS_SYSCALL);
  const auto final = FinalOf([] {
    close(-1);
    return 0;
  });
  EXPECT_EQ(final.counters[TM_C_SYSCALL_FAILS], 0u);
}

TEST_F(HooksTest, WrittenPagesAreAddedAndDirtied) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_PAGE_CACHE});
  if (IsSkipped()) return;
  const auto final = FinalOf([] {
    char path[] = "/var/tmp/taskmon-dirty-XXXXXX";
    const int fd = mkstemp(path);
    unlink(path);
    const std::string page(kPage, 'x');
    for (int i = 0; i < 256; ++i) {
      if (write(fd, page.data(), page.size()) != static_cast<ssize_t>(kPage)) return 1;
    }
    return 0;
  });
  ASSERT_EQ(final.exit_code, 0);
  // One folio per page written; the file system's own blocks (inode, directory, bitmaps) come on top.
  EXPECT_GE(final.counters[TM_C_PAGE_CACHE_ADDS], 256u);
  EXPECT_LE(final.counters[TM_C_PAGE_CACHE_ADDS], 256u + 32u);
  EXPECT_GE(final.counters[TM_C_PAGE_CACHE_DIRTIES], 256u);
  EXPECT_LE(final.counters[TM_C_PAGE_CACHE_DIRTIES], 256u + 32u);
}

class LookupTest : public HooksTest, public testing::WithParamInterface<size_t> {};

TEST_P(LookupTest, EachPageReadIsLookedUpOnce) {
  const size_t chunk = GetParam();
  const ColdFile file(256);
  const auto body = [&](int times) {
    return [&file, chunk, times] {
      const int fd = open(file.path(), O_RDONLY);
      posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
      std::string buffer(chunk, 0);
      for (int i = 0; i < times; ++i) {
        for (size_t at = 0; at < 256 * kPage; at += chunk) {
          if (pread(fd, buffer.data(), chunk, static_cast<off_t>(at)) != static_cast<ssize_t>(chunk)) return 1;
        }
      }
      return 0;
    };
  };
  const uint64_t once = CountOf(TM_HOOKS_PAGE_CACHE_LOOKUP, TM_C_PAGE_CACHE_LOOKUPS, body(1));
  if (IsSkipped()) return;
  EXPECT_EQ(once, 256u);
  EXPECT_EQ(CountOf(TM_HOOKS_PAGE_CACHE_LOOKUP, TM_C_PAGE_CACHE_LOOKUPS, body(3)), 768u);
}

// One page a read, a few, and more than the kernel looks up in one batch.
INSTANTIATE_TEST_SUITE_P(ReadSizes, LookupTest, testing::Values(kPage, 8 * kPage, 256 * kPage));

// The longest request of a task that reads cold pages lies within its own waiting time, and names the file's device.
TEST_F(HooksTest, ABlockRequestIsBilledToWhoSubmittedIt) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_SCHED, TM_HOOKS_BLOCK});
  if (IsSkipped()) return;
  const ColdFile file(64);
  struct stat info {};
  ASSERT_EQ(stat(file.path(), &info), 0);
  const auto final = FinalOf([&] {
    const int fd = open(file.path(), O_RDONLY);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    char page[kPage];
    for (off_t at = 0; at < 64; ++at) {
      if (pread(fd, page, sizeof(page), at * static_cast<off_t>(kPage)) != sizeof(page)) return 1;
    }
    return 0;
  });
  ASSERT_EQ(final.exit_code, 0);
  const tm_max& longest = final.maxima[TM_M_IO_REQUEST_NS];
  EXPECT_GT(longest.value_ns, 0u);
  EXPECT_GE(longest.at_ns, final.id.start_ns + longest.value_ns);
  EXPECT_LE(longest.at_ns, final.header.time_ns);
  EXPECT_EQ(longest.witness >> 20, major(info.st_dev));
  EXPECT_EQ(longest.witness & 0xfffff, minor(info.st_dev));
  EXPECT_EQ(probe_->Drops()[TM_DROP_BLOCK_MAP], 0u);
}

TEST_F(HooksTest, ABlockRequestIsReportedOnceByThePasses) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_SCHED, TM_HOOKS_BLOCK});
  if (IsSkipped()) return;
  const ColdFile file(8);
  Gate done, never;
  Child child([&] {
    char page[kPage];
    const int fd = open(file.path(), O_RDONLY);
    if (pread(fd, page, sizeof(page), 0) != sizeof(page)) return 1;
    done.Signal();
    never.Await();
    return 0;
  });
  Pass();
  child.Go();
  done.Await();
  ASSERT_TRUE(AwaitState(child.tid(), 'S'));
  // Who reads is awake before his request is accounted for.
  ASSERT_TRUE(Eventually([&] { return PassOf(child.tid(), true).maxima[TM_M_IO_REQUEST_NS].value_ns > 0; }));
  EXPECT_EQ(PassOf(child.tid(), true).maxima[TM_M_IO_REQUEST_NS].value_ns, 0u);
  EXPECT_EQ(PassOf(child.tid(), true).maxima[TM_M_IO_REQUEST_NS].value_ns, 0u);
}

TEST_F(HooksTest, AFullRequestMapIsCounted) {
  ProbeOptions options;
  options.block_requests = 1;
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_BLOCK}, options);
  if (IsSkipped()) return;
  // Each of them stays alive and so keeps its entry: the second finds the map full.
  const ColdFile file(64);
  Gate done, never;
  auto body = [&](off_t at) {
    return [&, at] {
      char page[kPage];
      const int fd = open(file.path(), O_RDONLY);
      posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
      const bool read = pread(fd, page, sizeof(page), at) == sizeof(page);
      done.Signal();
      never.Await();
      return read ? 0 : 1;
    };
  };
  Child one(body(0)), other(body(32 * kPage));
  one.Go();
  done.Await();
  other.Go();
  done.Await();
  EXPECT_GT(probe_->Drops()[TM_DROP_BLOCK_MAP], 0u);
}

// Sends `text` in `calls` calls from `from` to `to`, peeks once, and reads it all.
int Exchange(int from, int to, size_t bytes, int calls) {
  std::string text(bytes, 'x');
  for (int i = 0; i < calls; ++i) {
    const ssize_t sent = i % 2 == 0 ? send(from, text.data(), bytes, 0) : write(from, text.data(), bytes);
    if (sent != static_cast<ssize_t>(bytes)) return 1;
    if (recv(to, text.data(), bytes, MSG_PEEK) <= 0) return 1;
    for (size_t got = 0; got < bytes;) {
      const ssize_t n = recv(to, text.data(), bytes - got, 0);
      if (n <= 0) return 1;
      got += static_cast<size_t>(n);
    }
  }
  return recv(to, text.data(), 1, MSG_DONTWAIT) < 0 ? 0 : 1;  // fails: nothing more to count
}

sockaddr_in Loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket bound to a free port of the loopback, and its address.
int Bound(int type, sockaddr_in* address) {
  *address = Loopback();
  socklen_t size = sizeof(*address);
  const int fd = socket(AF_INET, type, 0);
  if (bind(fd, reinterpret_cast<sockaddr*>(address), size) != 0) return -1;
  return getsockname(fd, reinterpret_cast<sockaddr*>(address), &size) == 0 ? fd : -1;
}

int TcpExchange() {
  sockaddr_in address;
  const int listener = Bound(SOCK_STREAM, &address), client = socket(AF_INET, SOCK_STREAM, 0);
  if (listen(listener, 1) != 0) return 1;
  if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 1;
  return Exchange(client, accept(listener, nullptr, nullptr), 505, 20);
}

int UdpExchange() {
  sockaddr_in address;
  const int receiver = Bound(SOCK_DGRAM, &address), sender = socket(AF_INET, SOCK_DGRAM, 0);
  if (connect(sender, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 1;
  return Exchange(sender, receiver, 101, 10);
}

TEST_F(HooksTest, TcpBytesAreExactAndPeekedOnesCountOnce) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_NET});
  if (IsSkipped()) return;
  const auto final = FinalOf(TcpExchange);
  ASSERT_EQ(final.exit_code, 0);
  EXPECT_EQ(final.counters[TM_C_NET_TX], 10'100u);
  EXPECT_EQ(final.counters[TM_C_NET_RX], 10'100u);
  EXPECT_EQ(final.counters[TM_C_UNIX_TX], 0u);
  EXPECT_EQ(final.flags & (TM_TASK_TCP_USED | TM_TASK_UDP_USED), static_cast<uint32_t>(TM_TASK_TCP_USED));
}

TEST_F(HooksTest, UdpBytesAreExact) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_NET});
  if (IsSkipped()) return;
  const auto final = FinalOf(UdpExchange);
  ASSERT_EQ(final.exit_code, 0);
  EXPECT_EQ(final.counters[TM_C_NET_TX], 1'010u);
  EXPECT_EQ(final.counters[TM_C_NET_RX], 1'010u);
  EXPECT_EQ(final.flags & (TM_TASK_TCP_USED | TM_TASK_UDP_USED), static_cast<uint32_t>(TM_TASK_UDP_USED));
}

TEST_F(HooksTest, UnixBytesAreKeptApart) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_NET});
  if (IsSkipped()) return;
  const auto final = FinalOf([] {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return 1;
    return Exchange(fds[0], fds[1], 777, 4);
  });
  ASSERT_EQ(final.exit_code, 0);
  EXPECT_EQ(final.counters[TM_C_UNIX_TX], 4u * 777);
  EXPECT_EQ(final.counters[TM_C_UNIX_RX], 4u * 777);
  EXPECT_EQ(final.counters[TM_C_NET_TX], 0u);
  EXPECT_EQ(final.counters[TM_C_NET_RX], 0u);
  EXPECT_EQ(final.flags & (TM_TASK_TCP_USED | TM_TASK_UDP_USED), 0u);
}

TEST_F(HooksTest, ConnectionsCountForWhoMakesThemEvenWhenRefused) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_CONNECT});
  if (IsSkipped()) return;
  const auto final = FinalOf([] {
    if (TcpExchange() != 0) return 1;
    sockaddr_in nobody;
    close(Bound(SOCK_STREAM, &nobody));  // a port that was free a moment ago, and nobody listens
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    return connect(client, reinterpret_cast<sockaddr*>(&nobody), sizeof(nobody)) != 0 ? 0 : 1;
  });
  ASSERT_EQ(final.exit_code, 0);
  EXPECT_EQ(final.counters[TM_C_CONNECTS], 2u);
  EXPECT_TRUE(final.flags & TM_TASK_TCP_USED);
}

void WriteFile(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY);
  if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    ADD_FAILURE() << path << ": " << std::strerror(errno);
  }
  close(fd);
}

// A memory cgroup of 16 MiB, v1 or v2; empty path: none can be made.
class SmallCgroup {
 public:
  SmallCgroup() {
    if (access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) == 0 ||
        access("/sys/fs/cgroup/memory/tasks", F_OK) == 0) {
      Make("/sys/fs/cgroup/memory", "memory.limit_in_bytes");
    } else if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
      Make("/sys/fs/cgroup", "memory.max");
    }
  }
  ~SmallCgroup() {
    if (!path_.empty()) rmdir(path_.c_str());
  }
  SmallCgroup(const SmallCgroup&) = delete;
  SmallCgroup& operator=(const SmallCgroup&) = delete;
  const std::string& path() const { return path_; }

 private:
  void Make(const std::string& root, const std::string& limit) {
    const std::string path = root + "/taskmon-oom-test";
    if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return;
    path_ = path;
    WriteFile(path + "/" + limit, "16777216");
  }
  std::string path_;
};

TEST_F(HooksTest, AnOomVictimIsNamedAndCounted) {
  Start({TM_HOOKS_LIFECYCLE, TM_HOOKS_OOM});
  if (IsSkipped()) return;
  const SmallCgroup cgroup;
  if (cgroup.path().empty()) GTEST_SKIP() << "no memory cgroup can be made";
  Child child([] {
    const size_t size = 256 << 20;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(memory, 1, size);
    return 0;
  });
  WriteFile(cgroup.path() + "/cgroup.procs", std::to_string(child.tid()));
  child.Go();
  const int status = child.Wait();
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  const auto final = AwaitFinals(child.tid(), 1).front();
  EXPECT_EQ(final.counters[TM_C_OOM_KILLS], 1u);
  EXPECT_EQ(final.exit_code, SIGKILL);
  const auto victims = Of<tm_oom_record>(TM_RECORD_OOM, child.tid());
  ASSERT_EQ(victims.size(), 1u);
  for (const Hook& hook : probe_->Hooks()) {
    if (hook.name == "mark_victim" && !hook.limits.empty()) return;  // known by number only
  }
  EXPECT_EQ(victims[0].id.start_ns, final.id.start_ns);
  EXPECT_STREQ(victims[0].comm, final.comm);
}

TEST_F(HooksTest, EveryGroupAttachesTwiceAndDetaches) {
  Start({TM_HOOKS_LIFECYCLE});
  if (IsSkipped()) return;
  ASSERT_TRUE(probe_->SetStatistics(true).ok());
  for (int i = 0; i < TM_HOOK_GROUP_MAX; ++i) {
    const auto group = static_cast<tm_hook_group>(i);
    const absl::Status attached = probe_->Attach(group);
    if (absl::IsFailedPrecondition(attached)) continue;  // not on this kernel
    ASSERT_TRUE(attached.ok()) << HookGroupName(group) << ": " << attached;
    EXPECT_TRUE(probe_->Attach(group).ok());
    EXPECT_TRUE(probe_->IsAttached(group));
  }
  Pass();
  uint64_t runs = 0, runs_of_the_pass = 0, time_of_the_pass_ns = 0;
  for (const Hook& hook : probe_->Hooks()) {
    EXPECT_EQ(hook.reason.empty(), hook.available) << hook.name;
    runs += hook.runs;
    if (!hook.own_time) continue;
    runs_of_the_pass += hook.runs;  // one a stretch of the walk, or one a task
    time_of_the_pass_ns += hook.run_time_ns;
  }
  EXPECT_GT(runs, 10u);
  EXPECT_GT(runs_of_the_pass, 0u);
  EXPECT_GT(time_of_the_pass_ns, 0u);
  for (int i = 0; i < TM_HOOK_GROUP_MAX; ++i) {
    probe_->Detach(static_cast<tm_hook_group>(i));
    EXPECT_FALSE(probe_->IsAttached(static_cast<tm_hook_group>(i)));
  }
  ASSERT_TRUE(probe_->SetStatistics(false).ok());
}

}  // namespace
}  // namespace taskmon::bpf
