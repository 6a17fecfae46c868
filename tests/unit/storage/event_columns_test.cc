// SPDX-License-Identifier: Apache-2.0
#include "storage/event_columns.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

constexpr MetricBits kAll = {{~0ull, ~0ull}};

// Lives of task 1, 2, …: a birth, an exec and an end each, the odd ones with an end that their row tells of.
struct Lives {
  std::vector<StoredEvent> events;
  std::vector<TaskTimes> rows;

  explicit Lives(size_t count) {
    std::mt19937_64 random(7);
    for (size_t i = 1; i <= count; ++i) Add(static_cast<int64_t>(i), random);
  }
  FindTimes times() const {
    return [this](int64_t task) -> absl::StatusOr<TaskTimes> {
      if (task < 1 || static_cast<size_t>(task) > rows.size()) return Damaged("no such task");
      return rows[static_cast<size_t>(task) - 1];
    };
  }

 private:
  void Add(int64_t task, std::mt19937_64& random) {
    TaskTimes row{.start_ns = 1000000000 + random() % 1000000000, .wall_offset_ns = 1795737936000000000};
    Event event;
    event.boot_ns = row.start_ns + random() % 100000;
    for (EventType type : {EventType::kFork, EventType::kExec, EventType::kExit}) {
      event.id = events.size() + 1;
      event.type = type;
      event.wall_ns = static_cast<int64_t>(event.boot_ns) + row.wall_offset_ns + static_cast<int64_t>(random() % 9);
      if (type == EventType::kExit) {
        event.duration_ns = event.boot_ns - row.start_ns;
        event.wait_status = static_cast<int32_t>(random() % 65536);
        event.detail = task % 5 == 0 ? "became TID 7" : "";
        if (task % 4 != 0) event.final_sample = Final(event, random);
        row.ended = task % 2 == 1;
        row.exit_boot_ns = event.boot_ns;
        row.exit_wall_ns = event.wall_ns;
        row.duration_ns = event.duration_ns;
        row.wait_status = event.wait_status;
      }
      events.push_back({static_cast<uint64_t>(task) / 3, task, 40 + task % 4, event});
      event.boot_ns += random() % 30000000;
    }
    rows.push_back(row);
  }
  // The user part of a run time follows from the system part, a resident set from its parts.
  static std::shared_ptr<const TaskSample> Final(const Event& event, std::mt19937_64& random) {
    auto sample = std::make_shared<TaskSample>();
    sample->tick_seq = 3;
    const auto value = [&](uint64_t below) { return static_cast<int64_t>(random() % below); };
    const int64_t system = value(1000000), all = system + value(9000000), anon = value(5000) * 4096;
    const std::pair<MetricId, int64_t> values[] = {{1, all - system}, {2, system}, {3, value(100)},
                                                   {34, all},         {47, anon},  {6, anon + value(50) * 4096},
                                                   {50, INT64_MIN}};
    for (const auto& [metric, number] : values) {
      if (metric == 3 && event.id % 2 == 0) continue;
      sample->valid.set(metric);
      sample->values.Set(metric, number);
    }
    if (event.id % 7 == 0) sample->taken_boot_ns.Set(6, static_cast<int64_t>(event.boot_ns) - 12345);
    return sample;
  }
};

void ExpectSame(const StoredEvent& want, const StoredEvent& got) {
  EXPECT_EQ(want.seq, got.seq);
  EXPECT_EQ(want.task, got.task);
  EXPECT_EQ(want.names, got.names);
  ExpectSameEvent(want.event, got.event);
  if (want.event.final_sample == nullptr || got.event.final_sample == nullptr) return;
  EXPECT_EQ(want.event.final_sample->valid, got.event.final_sample->valid);
  EXPECT_EQ(want.event.final_sample->tick_seq, got.event.final_sample->tick_seq);
  EXPECT_EQ(want.event.final_sample->taken_boot_ns, got.event.final_sample->taken_boot_ns);
}

TEST(EventColumns, GiveBackWhatWentIntoThem) {
  for (size_t count : {0u, 1u, 2u, 300u}) {
    const Lives lives(count);
    const auto bytes = EncodeEvents(lives.events, kAll, lives.times(), 9);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    std::vector<StoredEvent> got;
    ASSERT_TRUE(DecodeEvents(*bytes, lives.times(), &got).ok());
    ASSERT_EQ(got.size(), lives.events.size());
    for (size_t i = 0; i < got.size(); ++i) ExpectSame(lives.events[i], got[i]);
  }
}

TEST(EventColumns, WhatFollowsFromOtherMetricsTakesNoRoom) {
  const Lives lives(300);
  const auto all = EncodeEvents(lives.events, kAll, lives.times(), 9);
  MetricBits some = kAll;
  some.clear(1);
  const auto without = EncodeEvents(lives.events, some, lives.times(), 9);
  ASSERT_TRUE(all.ok() && without.ok());
  EXPECT_LT(all->size(), without->size() + 100);
}

TEST(EventColumns, MetricsThatAreNotStoredAreNotValidAfterwards) {
  const Lives lives(5);
  const auto bytes = EncodeEvents(lives.events, {{1ull << 2, 0}}, lives.times(), 9);
  ASSERT_TRUE(bytes.ok());
  std::vector<StoredEvent> got;
  ASSERT_TRUE(DecodeEvents(*bytes, lives.times(), &got).ok());
  ASSERT_NE(got[2].event.final_sample, nullptr);
  EXPECT_EQ(got[2].event.final_sample->valid, MetricSet().set(2));
}

TEST(EventColumns, DamageIsAnErrorAndNothingElse) {
  const Lives lives(40);
  const auto bytes = EncodeEvents(lives.events, kAll, lives.times(), 9);
  ASSERT_TRUE(bytes.ok());
  const auto raw = DecodeFrame(*bytes);
  ASSERT_TRUE(raw.ok());
  std::vector<StoredEvent> got;
  for (size_t size = 0; size < raw->size(); ++size) {
    got.clear();
    EXPECT_TRUE(absl::IsDataLoss(DecodeEvents('\0' + raw->substr(0, size), lives.times(), &got))) << size;
  }
  std::mt19937_64 random(8);
  for (int round = 0; round < 3000; ++round) {
    std::string flipped = '\0' + *raw;
    flipped[1 + random() % raw->size()] = static_cast<char>(random());
    got.clear();
    const absl::Status status = DecodeEvents(flipped, lives.times(), &got);
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
  }
}

TEST(EventColumns, RareEventsDoNotFit) {
  Event event;
  event.type = EventType::kFork;
  EXPECT_FALSE(FitsColumns(event));
  event.task = std::make_shared<TaskInfo>();
  EXPECT_TRUE(FitsColumns(event));
  event.rule = "web";
  EXPECT_FALSE(FitsColumns(event));
  event.rule.clear();
  event.type = EventType::kOomKill;
  EXPECT_FALSE(FitsColumns(event));
}

}  // namespace
}  // namespace taskmon::storage
