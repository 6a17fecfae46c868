// SPDX-License-Identifier: Apache-2.0
//
// The ring between kernel and user space: when it wakes, when a drain ends, what becomes of too much.
#include <sys/epoll.h>

#include <set>

#include "bpf/fd.h"
#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {
namespace {

class RingTest : public ProbeTest {
 protected:
  void StartWith(uint32_t ring_bytes) {
    ProbeOptions options;
    options.ring_bytes = ring_bytes;
    Start({TM_HOOKS_LIFECYCLE}, options);
  }
};

TEST_F(RingTest, FewRecordsWakeNobodyAndEachFurther32ndDoes) {
  constexpr uint32_t kRingBytes = 1 << 20;
  StartWith(kRingBytes);
  const Fd epoll_fd(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  ASSERT_EQ(epoll_ctl(epoll_fd.get(), EPOLL_CTL_ADD, probe_->ring_fd(), &event), 0);
  const auto woken = [&] { return epoll_wait(epoll_fd.get(), &event, 1, 0) == 1; };
  (void)woken();  // to be watched at all tells of what is there
  Drain();
  ring_.clear();
  LiveForAMoment();
  EXPECT_FALSE(woken());
  EXPECT_FALSE(probe_->WantsDrain());
  constexpr int kWakes = 4;
  int wakes = 0;
  for (int lives = 0; wakes < kWakes && lives < 1000; ++lives) {
    LiveForAMoment();
    wakes += woken();
  }
  EXPECT_EQ(wakes, kWakes);
  EXPECT_TRUE(probe_->WantsDrain());
  Drain();
  size_t bytes = 0;
  for (const RingRecord& record : ring_) bytes += record.As<tm_record_header>().size + 8;
  // Somebody else's end may have come after the last wake.
  EXPECT_GE(bytes, kWakes * kRingBytes / 32);
  EXPECT_LT(bytes, (kWakes + 1) * kRingBytes / 32);
  EXPECT_EQ(probe_->Drops()[TM_DROP_RING_FORK], 0u);
}

TEST_F(RingTest, AFullRingWakesNobodyAndWantsToBeDrained) {
  StartWith(65536);
  while (probe_->Drops()[TM_DROP_RING_FORK] == 0) LiveForAMoment();
  EXPECT_TRUE(probe_->WantsDrain());
  Drain();
  EXPECT_FALSE(probe_->WantsDrain());
}

TEST_F(RingTest, RecordsThatLieAcrossItsEndAreWhole) {
  constexpr uint32_t kRingBytes = 16384;
  StartWith(kRingBytes);
  constexpr uint64_t kLives = 300;
  std::set<pid_t> children, born, ended;
  size_t bytes = 0;
  const auto take = [&] {
    ring_.clear();
    Drain();
    for (const RingRecord& record : ring_) {
      bytes += record.As<tm_record_header>().size + 8;
      const auto& fork = record.As<tm_fork_record>();
      const auto& final = record.As<tm_task_record>();
      if (record.kind() == TM_RECORD_FORK && fork.parent_tid == getpid()) {
        EXPECT_STREQ(fork.comm, "bpf_ring");
        born.insert(fork.id.tid);
      } else if (record.kind() == TM_RECORD_FINAL && final.ppid == getpid()) {
        EXPECT_STREQ(final.comm, "bpf_ring");
        ended.insert(final.id.tid);
      }
    }
  };
  for (uint64_t i = 0; i < kLives; ++i) {
    children.insert(LiveForAMoment());
    take();
  }
  // The last child may still be on its way out.
  EXPECT_TRUE(Eventually([&] { return take(), ended == children; }));
  EXPECT_EQ(born, children);
  EXPECT_GT(bytes, 10 * kRingBytes) << "it has come round many times";
}

TEST_F(RingTest, ADrainEndsHoweverMuchComesMeanwhile) {
  constexpr uint32_t kRingBytes = 65536;
  StartWith(kRingBytes);
  LiveForAMoment();
  size_t bytes = 0;
  size_t records = 0;
  const size_t told = probe_->DrainRing([&](const tm_record_header& header) {
    LiveForAMoment();  // two records for each that is taken out
    bytes += header.size;
    ++records;
  });
  EXPECT_EQ(told, records);
  EXPECT_LT(bytes, kRingBytes + sizeof(tm_exec_record));
  const auto count = [&](const tm_record_header&) { ++records; };
  EXPECT_GT(probe_->DrainRing(count), 0u);
  while (probe_->DrainRing(count) > 0) {
  }
  EXPECT_GT(records, told);
}

TEST_F(RingTest, AStormIsRecordedOrCounted) {
  StartWith(4096);
  constexpr uint64_t kForks = 300;
  std::set<pid_t> children;
  for (uint64_t i = 0; i < kForks; ++i) children.insert(LiveForAMoment());
  ring_.clear();
  Drain();
  uint64_t forks = 0, finals = 0;
  for (const RingRecord& record : ring_) {
    if (children.count(record.As<tm_fork_record>().id.tid) == 0) continue;
    forks += record.kind() == TM_RECORD_FORK;
    finals += record.kind() == TM_RECORD_FINAL;
  }
  // Other processes of the machine may have been turned away as well. The last child may still be on its way out.
  const DropCounters drops = probe_->Drops();
  EXPECT_GT(drops[TM_DROP_RING_FINAL], 0u);
  EXPECT_GE(forks + drops[TM_DROP_RING_FORK], kForks);
  EXPECT_GE(finals + drops[TM_DROP_RING_FINAL], kForks - 1);
}

}  // namespace
}  // namespace taskmon::bpf
