// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"

namespace taskmon::client {
namespace {

v1::Life DeadTask() {
  v1::Life life;
  v1::TaskBatch batch = MakeBatch();
  AddTask(10, "worker", &batch)->set_ended_time_ns(kNow);
  *life.mutable_task() = batch;
  life.set_ended(true);
  life.set_ended_time_ns(kNow);
  life.set_exit_signal(9);
  life.set_duration_ns(2'300'000'000);
  life.mutable_parent()->mutable_task()->set_tid(1);
  life.mutable_parent()->mutable_task()->set_comm("init");
  for (int i = 0; i < 25; ++i) {
    v1::Relative* child = life.add_children();
    child->mutable_task()->set_tid(100 + i);
    child->mutable_task()->set_comm("child");
  }
  life.set_other_lives(2);
  return life;
}

TEST(ShowTheDead, TellsTheWholeLifeWithParentAndChildren) {
  FakeAnswers answers;
  answers.life = DeadTask();
  const Outcome outcome = Invoke({"show", "10"}, &answers);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::HasSubstr("killed by SIGKILL, lived 2.3s"));
  EXPECT_THAT(outcome.out, testing::HasSubstr("parent     1 init, alive"));
  EXPECT_THAT(outcome.out, testing::HasSubstr("children   25"));
  EXPECT_THAT(outcome.out, testing::HasSubstr("and 5 more"));
  EXPECT_THAT(outcome.out, testing::HasSubstr("2 more tasks had this number"));
  const std::string json = Invoke({"show", "10", "-o", "json"}, &answers).out;
  EXPECT_THAT(json, testing::HasSubstr("\"exit_signal\":9,\"duration_ns\":2300000000,\"parent\":{\"tid\":1,"));
  EXPECT_THAT(json, testing::HasSubstr("\"children\":[{\"tid\":100,"));
}

TEST(ShowTheDead, KnowsNoTimeOfOneWhoseEndNobodySaw) {
  setenv("TZ", "Europe/Berlin", 1);
  tzset();
  FakeAnswers answers;
  answers.life = DeadTask();
  answers.life->clear_ended_time_ns();
  v1::TaskBatch* batch = answers.life->mutable_task();
  batch->mutable_samples(0)->clear_ended_time_ns();
  batch->mutable_samples(0)->add_unavailable(v1::TASK_RUNTIME_NS);
  batch->mutable_ticks(0)->set_time_ns(0);
  batch->mutable_tasks(0)->set_start_time_ns(1'782'900'000'000'000'000);  // 2026-07-01
  const std::string out = Invoke({"show", "10"}, &answers).out;
  EXPECT_THAT(out, testing::Not(testing::HasSubstr("\n  at  ")));
  EXPECT_THAT(out, testing::HasSubstr("started    2026-07-01 12:00:00 CEST\n"));
  EXPECT_THAT(out, testing::HasSubstr("Not recorded, for nobody saw its end"));
  setenv("TZ", "UTC", 1);
  tzset();
}

TEST(ShowTheDead, SaysSoWhenNothingIsStored) {
  FakeAnswers answers;
  EXPECT_EQ(Invoke({"show", "10"}, &answers).code, 1);
  answers.life = absl::InternalError("broken");
  EXPECT_EQ(Invoke({"show", "10"}, &answers).code, 70);
}

}  // namespace
}  // namespace taskmon::client
