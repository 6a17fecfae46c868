// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/client/top/small_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/top/totals.h"

namespace taskmon::client::top {
namespace {

const Item& Find(const Frame& frame, int32_t tid) {
  for (const Item& item : frame.items) {
    if (item.id.tid == tid) return item;
  }
  ADD_FAILURE() << "no task " << tid;
  return frame.items.front();
}

TEST(FrameMaker, CountersBecomeRatesFromTheSecondTickOn) {
  FrameMaker maker(MetricsFor(DefaultColumns()));
  ASSERT_TRUE(maker.Add(BatchOf({{.tid = 1, .comm = "a", .read_bytes = 1000}}, 7)).ok());
  const auto first = maker.Finish();
  EXPECT_EQ(first->Get(first->items[0].values, v1::TASK_READ_BYTES).presence, Presence::kUnavailable);
  ASSERT_TRUE(maker.Add(BatchOf({{.tid = 1, .comm = "a", .read_bytes = 5000}}, 9)).ok());
  const auto second = maker.Finish();
  EXPECT_DOUBLE_EQ(second->Get(second->items[0].values, v1::TASK_READ_BYTES).number, 2000) << "4000 bytes in 2 s";
}

TEST(FrameMaker, ABornTaskHasCountedSinceItsBirthAndAReusedNumberIsAnotherTask) {
  FrameMaker maker(MetricsFor(DefaultColumns()));
  ASSERT_TRUE(maker.Add(BatchOf({{.tid = 1, .comm = "a", .read_bytes = 1000}}, 7)).ok());
  maker.Finish();
  const uint64_t just_now = 100'500'000'000;
  ASSERT_TRUE(maker.Add(BatchOf({{.tid = 1, .comm = "b", .read_bytes = 300, .start_ns = just_now}}, 8)).ok());
  const auto frame = maker.Finish();
  EXPECT_DOUBLE_EQ(frame->Get(frame->items[0].values, v1::TASK_READ_BYTES).number, 300);
}

TEST(FrameMaker, WhoEndedIsListedWithWhatItUsedInTheTick) {
  FrameMaker maker(MetricsFor(DefaultColumns()));
  ASSERT_TRUE(maker.Add(BatchOf({{.tid = 1, .comm = "a"}}, 7)).ok());
  const auto frame = maker.Finish();
  maker.AddEnded(ExitOf(42, "short", kNow - 100), frame.get());
  ASSERT_EQ(frame->ended, 1u);
  const Item& item = Find(*frame, 42);
  EXPECT_EQ(item.exit_code, 3);
  EXPECT_DOUBLE_EQ(frame->Get(item.values, v1::TASK_CPU_PERCENT).number, 25) << "250 ms in 1 s";
  EXPECT_EQ(frame->Get(item.values, v1::TASK_PM_SIZE).presence, Presence::kUnavailable);
}

v1::Event ThreadExitOf(int32_t tid, int32_t tgid) {
  v1::Event exit = ExitOf(tid, "worker", kNow - 100);
  exit.mutable_task()->set_tgid(tgid);
  exit.mutable_task()->set_thread(true);
  return exit;
}

// Two ticks with the task 42, which is a thread of its process or all of it.
FrameMaker After(bool thread) {
  FrameMaker maker(MetricsFor(DefaultColumns()));
  for (const uint64_t seq : {6, 7}) {
    v1::TaskBatch batch = BatchOf({{.tid = 42, .comm = "a", .start_ns = 99'500'000'000}}, seq);
    batch.mutable_tasks(0)->set_thread(thread);
    EXPECT_TRUE(maker.Add(batch).ok());
    maker.Finish();
  }
  return maker;
}

TEST(FrameMaker, AmongThreadsNoEndIsToldTwice) {
  v1::Event process = ExitOf(42, "a", kNow - 100);
  const FrameMaker stored = After(/*thread=*/true);
  EXPECT_FALSE(stored.HasRowOfItsOwn(process, true));
  EXPECT_TRUE(stored.HasRowOfItsOwn(ThreadExitOf(42, 42), true));
  EXPECT_TRUE(stored.HasRowOfItsOwn(ThreadExitOf(43, 42), true));
  const FrameMaker whole = After(/*thread=*/false);
  EXPECT_TRUE(whole.HasRowOfItsOwn(process, true));
  EXPECT_FALSE(whole.HasRowOfItsOwn(ThreadExitOf(42, 42), true));
  EXPECT_FALSE(whole.HasRowOfItsOwn(ThreadExitOf(43, 42), true));
  EXPECT_TRUE(whole.HasRowOfItsOwn(process, false));
  EXPECT_FALSE(whole.HasRowOfItsOwn(ThreadExitOf(43, 42), false));
}

TEST(FrameMaker, OfAProcessThatNobodySawItsThreadsEndByThemselves) {
  const FrameMaker maker(MetricsFor(DefaultColumns()));
  v1::Event process = ExitOf(42, "a", kNow - 100);
  EXPECT_TRUE(maker.HasRowOfItsOwn(process, true));
  process.add_metrics(v1::TASK_THREAD_CREATE_COUNT);
  process.add_values(3);
  EXPECT_FALSE(maker.HasRowOfItsOwn(process, true));
  EXPECT_TRUE(maker.HasRowOfItsOwn(ThreadExitOf(43, 42), true));
}

TEST(FrameMaker, RefusesWhatDoesNotFitTogether) {
  v1::TaskBatch batch = BatchOf({{.tid = 1, .comm = "a"}});
  batch.mutable_samples(0)->set_task(9);
  EXPECT_FALSE(FrameMaker(MetricsFor(DefaultColumns())).Add(batch).ok());
}

TEST(FrameMaker, AnExitWhoseValuesDoNotFitIsLeftOut) {
  const auto frame = FrameOf({{.tid = 1, .comm = "a"}});
  v1::Event event = ExitOf(42, "short", kNow);
  event.add_values(1);
  FrameMaker(MetricsFor(DefaultColumns())).AddEnded(event, frame.get());
  EXPECT_EQ(frame->ended, 0u);
}

TEST(GroupSum, AddsWhatIsKnown) {
  const auto frame =
      FrameOf({{.tid = 1, .comm = "a", .cpu = 5, .rss = 10}, {.tid = 2, .comm = "b", .cpu = 7, .rss = 20}});
  GroupSum sum(*frame);
  for (const Item& item : frame->items) sum.Add(item.values);
  EXPECT_DOUBLE_EQ(frame->Get(sum.values(), v1::TASK_CPU_PERCENT).number, 12);
  EXPECT_DOUBLE_EQ(frame->Get(sum.values(), v1::TASK_PM_SIZE).number, 30);
  EXPECT_FALSE(frame->Get(sum.values(), v1::TASK_STATE).known()) << "letters have no sum";
}

TEST(Totals, HiddenValuesAreMissingAndSaidToBe) {
  v1::TaskBatch batch = BatchOf({{.tid = 1, .comm = "a", .cpu = 5}, {.tid = 2, .comm = "b", .cpu = 6}});
  batch.mutable_samples(1)->add_redacted(v1::TASK_READ_BYTES);
  FrameMaker maker(MetricsFor(DefaultColumns()));
  ASSERT_TRUE(maker.Add(batch).ok());
  const TotalsPoint point = TotalsOf(*maker.Finish());
  EXPECT_DOUBLE_EQ(point.get(Total::kCpu), 11);
  EXPECT_TRUE(point.partial[static_cast<size_t>(Total::kDisk)]);
  EXPECT_FALSE(point.partial[static_cast<size_t>(Total::kCpu)]);
}

TEST(Marks, OnlyWhatAPersonShouldLookAt) {
  v1::Event event = ExitOf(1, "a", kNow);
  EXPECT_FALSE(MarkOf(event));
  event.set_type(v1::OOM_KILL);
  ASSERT_TRUE(MarkOf(event));
  EXPECT_EQ(MarkOf(event)->kind, Mark::Kind::kOom);
  event.set_type(v1::THRESHOLD);
  event.set_ends(true);
  EXPECT_FALSE(MarkOf(event)) << "back to normal";
  event.set_type(v1::DEGRADATION);
  EXPECT_FALSE(MarkOf(event)) << "taken back";
  event.set_ends(false);
  EXPECT_EQ(MarkOf(event)->kind, Mark::Kind::kDegraded);
  event.set_type(v1::GAP);
  event.set_duration_ns(5);
  EXPECT_EQ(MarkOf(event)->begin_ns, kNow - 5);
}

}  // namespace
}  // namespace taskmon::client::top
