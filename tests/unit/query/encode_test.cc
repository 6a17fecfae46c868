// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/query/world.h"

namespace taskmon::query {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(MendUtf8, KeepsWhatIsWellFormedAndReplacesTheRest) {
  EXPECT_EQ(MendUtf8("nginx"), "nginx");
  EXPECT_EQ(MendUtf8("größe €𝄞"), "größe €𝄞");
  EXPECT_EQ(MendUtf8("a\xff z"), "a\xef\xbf\xbd z");
  EXPECT_EQ(MendUtf8("cut \xe2\x82"), "cut \xef\xbf\xbd\xef\xbf\xbd") << "comm ends after 15 bytes, wherever that is";
  EXPECT_EQ(MendUtf8("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd") << "overlong";
  EXPECT_EQ(MendUtf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a surrogate";
  EXPECT_EQ(MendUtf8("\xf4\x90\x80\x80").size(), 12u) << "beyond the last character";
}

TEST(EncodeTaskInfo, CarriesEveryAttribute) {
  const TaskBuilder task = TaskBuilder(7, "srv").Thread(5).Uid(33, "www-data").Info([](TaskInfo& info) {
    info.gid = 34;
    info.app = "a";
    info.cgroup = "/c";
    info.unit = "u";
    info.container = "k";
    info.kthread = true;
    info.tracked = false;
    info.rules = {"r1", "r2"};
  });
  v1::TaskInfo out;
  EncodeTaskInfo(*task.Build(1)->info, "boot-9", {}, &out);
  EXPECT_EQ(out.tid(), 7);
  EXPECT_EQ(out.tgid(), 5);
  EXPECT_EQ(out.ppid(), 1);
  EXPECT_EQ(out.start_ns(), kBoot - 100 * kSecond);
  EXPECT_EQ(out.start_time_ns(), kStart - 100 * kSecond);
  EXPECT_EQ(out.comm() + out.exe() + out.user() + out.app() + out.cgroup() + out.unit() + out.container(),
            "srv/usr/bin/srvwww-dataa/cuk");
  EXPECT_EQ(out.cmdline(), "srv --serve");
  EXPECT_EQ(out.uid(), 33u);
  EXPECT_EQ(out.gid(), 34u);
  EXPECT_TRUE(out.kthread() && out.thread() && !out.tracked() && !out.cmdline_redacted());
  EXPECT_THAT(out.rules(), ElementsAre("r1", "r2"));
  EXPECT_EQ(out.boot_id(), "boot-9");
  EncodeTaskInfo(*task.Build(1)->info, "", {.cmdline = false}, &out);
  EXPECT_TRUE(out.cmdline_redacted());
}

TEST(EncodeTaskInfo, AHiddenCommandLineDoesNotLeave) {
  v1::TaskInfo out;
  EncodeTaskInfo(*TaskBuilder(7).Build(1)->info, "", {.cmdline = false, .exe = false}, &out);
  EXPECT_TRUE(out.cmdline_redacted());
  EXPECT_EQ(out.cmdline(), "");
  EXPECT_TRUE(out.exe_redacted());
  EXPECT_EQ(out.exe(), "");
}

TEST(BatchBuilder, ListsWhatIsUnavailableAndWhatIsRedacted) {
  const Snapshot world = World(3, {TaskBuilder(1)
                                       .Set(v1::TASK_PM_SIZE, 4096)
                                       .Set(v1::TASK_READ_BYTES, 777)
                                       .Set(v1::TASK_PSS_SIZE, 555)
                                       .TakenAt(v1::TASK_PSS_SIZE, static_cast<int64_t>(kBoot) + 500 * kMs)});
  BatchBuilder builder({v1::TASK_PM_SIZE, v1::TASK_READ_BYTES, v1::TASK_VM_SIZE, v1::TASK_PSS_SIZE});
  builder.Add(MakeRow(world, *world.tasks[0], kAlice));
  builder.Add(MakeRow(world, *world.tasks[0], kRoot));
  const v1::TaskBatch batch = builder.Take(true);
  EXPECT_THAT(batch.metrics(), ElementsAre(v1::TASK_PM_SIZE, v1::TASK_READ_BYTES, v1::TASK_VM_SIZE, v1::TASK_PSS_SIZE));
  const v1::Sample& alice = batch.samples(0);
  EXPECT_THAT(alice.values(), ElementsAre(4096, 0, 0, 0));
  EXPECT_THAT(alice.unavailable(), ElementsAre(v1::TASK_VM_SIZE));
  EXPECT_THAT(alice.redacted(), ElementsAre(v1::TASK_READ_BYTES, v1::TASK_PSS_SIZE));
  EXPECT_THAT(alice.ages(), IsEmpty());
  const v1::Sample& root = batch.samples(1);
  EXPECT_THAT(root.values(), ElementsAre(4096, 777, 0, 555));
  EXPECT_THAT(root.redacted(), IsEmpty());
  ASSERT_EQ(root.ages_size(), 1);
  EXPECT_EQ(root.ages(0).metric(), static_cast<uint32_t>(v1::TASK_PSS_SIZE));
  EXPECT_EQ(root.ages(0).age_ms(), 2500u);
  EXPECT_TRUE(batch.last());
}

TEST(BatchBuilder, SendsTicksAndTasksOncePerBatch) {
  const Snapshot first = World(1, {TaskBuilder(1), TaskBuilder(2)});
  Snapshot second = World(2, {});
  second.tasks = first.tasks;
  BatchBuilder builder({v1::TASK_PM_SIZE});
  for (const Snapshot* world : std::initializer_list<const Snapshot*>{&first, &second}) {
    for (const auto& task : world->tasks) builder.Add(MakeRow(*world, *task, kRoot));
  }
  const v1::TaskBatch batch = builder.Take(false);
  EXPECT_EQ(batch.ticks_size(), 2);
  EXPECT_EQ(batch.tasks_size(), 2);
  EXPECT_EQ(batch.samples(3).tick(), 1u);
  EXPECT_EQ(batch.samples(3).task(), 1u);
  builder.Add(MakeRow(second, *second.tasks[1], kRoot));
  const v1::TaskBatch next = builder.Take(false);
  EXPECT_EQ(next.tasks_size(), 1) << "every batch stands by itself";
  EXPECT_EQ(next.ticks(0).seq(), 2u);
  EXPECT_EQ(next.metrics_size(), 1);
}

TEST(BatchBuilder, IsFullByRowsOrByBytes) {
  const Snapshot world = World(1, {TaskBuilder(1)});
  BatchBuilder builder({v1::TASK_PM_SIZE});
  for (size_t i = 0; i < BatchBuilder::kMaxRows; ++i) {
    EXPECT_FALSE(builder.full());
    builder.Add(MakeRow(world, *world.tasks[0], kRoot));
  }
  EXPECT_TRUE(builder.full());
  builder.Take(false);
  EXPECT_FALSE(builder.full());
  const Snapshot wordy =
      World(1, {TaskBuilder(1).Info([](TaskInfo& info) { info.cmdline = std::string(2 << 20, 'x'); })});
  builder.Add(MakeRow(wordy, *wordy.tasks[0], kRoot));
  EXPECT_TRUE(builder.full());
}

}  // namespace
}  // namespace taskmon::query
