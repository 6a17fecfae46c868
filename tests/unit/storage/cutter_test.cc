// SPDX-License-Identifier: Apache-2.0
#include "storage/cutter.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "storage/sqlite_db.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

class Cutting : public ::testing::Test {
 protected:
  void SetUp() override {
    Record(writer_.get(), &world_, 55, &recorded_);
    options_.source = dir_.Path("h.db");
    options_.output = dir_.Path("cut.db");
    options_.columns = TestColumns();
    options_.begin_wall_ns = recorded_.snapshots[7].tick.wall_ns;
    options_.end_wall_ns = recorded_.snapshots[51].tick.wall_ns;
  }
  std::vector<Snapshot> Wanted() const { return {recorded_.snapshots.begin() + 7, recorded_.snapshots.begin() + 52}; }
  std::vector<Event> EventsOf(const std::string& path) const {
    std::vector<Event> events;
    const absl::Status status =
        OpenReader(path)->ScanEvents(options_.begin_wall_ns, options_.end_wall_ns, {}, [&](const Event& event) {
          events.push_back(event);
          return true;
        });
    EXPECT_TRUE(status.ok()) << status;
    return events;
  }

  TempDir dir_;
  std::unique_ptr<RingWriter> writer_ = OpenWriter(TestOptions(dir_.Path("h.db")));
  FakeWorld world_{{.seed = 120, .tasks = 40, .churn = 0.1}};
  Recorded recorded_;
  CutOptions options_;
};

TEST_F(Cutting, TheCutHoldsTheStretchAndNothingElse) {
  const auto result = Cut(options_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->ticks, 45u);
  EXPECT_EQ(result->bytes, std::filesystem::file_size(options_.output));
  ExpectHolds(options_.output, Wanted());
  const std::vector<Event> want = EventsOf(options_.source), got = EventsOf(options_.output);
  EXPECT_EQ(result->events, want.size());
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    Event expected = want[i];
    expected.id = got[i].id;
    ExpectSameEvent(expected, got[i]);
  }
  EXPECT_EQ(IntegrityCheck(options_.output), "ok");
}

TEST_F(Cutting, TheCutIsOneFileThatAnyoneCanReadWhereNothingMayBeWritten) {
  ASSERT_TRUE(Cut(options_).ok());
  for (const char* suffix : {"-wal", "-shm", "-journal", ".lock"}) {
    EXPECT_FALSE(std::filesystem::exists(options_.output + suffix)) << suffix;
  }
  const std::filesystem::path sealed = dir_.Path("sealed");
  std::filesystem::create_directory(sealed);
  std::filesystem::copy_file(options_.output, sealed / "cut.db");
  std::filesystem::permissions(sealed, std::filesystem::perms(0555));
  ExpectHolds(sealed / "cut.db", Wanted());
}

TEST_F(Cutting, HiddenMetricsAndNamesAreNotInTheFile) {
  options_.hidden_metrics = [](const TaskInfo& info) {
    return info.uid == 0 ? MetricSet() : MetricSet().set(3).set(4);
  };
  options_.hide_names = [](TaskInfo* info) {
    if (info->uid != 0) info->cmdline = SharedText();
  };
  options_.receiver = Receiver{.uid = 1000, .cmdlines_hidden = true};
  ASSERT_TRUE(Cut(options_).ok());
  const auto made_for = OpenReader(options_.output)->MadeFor();
  ASSERT_TRUE(made_for.ok() && made_for->has_value());
  EXPECT_EQ((*made_for)->uid, 1000u);
  EXPECT_TRUE((*made_for)->cmdlines_hidden);
  EXPECT_FALSE(OpenReader(options_.source)->MadeFor()->has_value());
  size_t hidden = 0;
  for (const Snapshot& tick : ReadAll(options_.output)) {
    for (const auto& task : tick.tasks) {
      EXPECT_EQ(task->info->cmdline.empty(), task->info->uid != 0);
      if (task->info->uid == 0) continue;
      EXPECT_FALSE(task->valid[3] || task->valid[4]);
      ++hidden;
    }
  }
  EXPECT_GT(hidden, 100u);
  for (const Event& event : EventsOf(options_.output)) {
    if (event.final_sample != nullptr && event.task->uid != 0) {
      EXPECT_FALSE(event.final_sample->valid[3]);
    }
  }
}

TEST_F(Cutting, AnAnonymousCutHasNoNameInItButKeepsThemApart) {
  options_.anonymize = true;
  ASSERT_TRUE(Cut(options_).ok());
  std::ifstream file(options_.output, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  for (const char* name : {"task1", "renamed", "/usr/bin", "--verbose", "work.service", "first\nsecond", "database"}) {
    EXPECT_EQ(bytes.find(name), std::string::npos) << name;
  }
  std::map<std::string, std::string> stand_ins;
  std::set<std::string> used;
  const std::vector<Snapshot> got = ReadAll(options_.output);
  const std::vector<Snapshot> want = Wanted();
  ASSERT_EQ(got.size(), want.size());
  for (size_t t = 0; t < got.size(); ++t) {
    ASSERT_EQ(got[t].tasks.size(), want[t].tasks.size());
    for (size_t i = 0; i < got[t].tasks.size(); ++i) {
      const TaskInfo &real = *want[t].tasks[i]->info, &shown = *got[t].tasks[i]->info;
      EXPECT_EQ(real.key, shown.key);
      EXPECT_EQ(real.uid == 0, shown.uid == 0);
      auto [at, is_new] = stand_ins.try_emplace(real.comm, shown.comm);
      EXPECT_EQ(at->second, shown.comm);
      EXPECT_EQ(shown.rules.size(), real.rules.size());
      for (const std::string& rule : shown.rules) EXPECT_EQ(rule.substr(0, 5), "rule-");
      EXPECT_EQ(is_new, used.insert(shown.comm).second);
    }
  }
  const std::vector<Event> real = EventsOf(options_.source), shown = EventsOf(options_.output);
  ASSERT_EQ(shown.size(), real.size());
  size_t compared = 0;
  for (size_t i = 0; i < shown.size(); ++i) {
    if (real[i].task == nullptr) continue;
    EXPECT_EQ(real[i].task->key, shown[i].task->key);
    const auto [at, is_new] = stand_ins.try_emplace(real[i].task->comm, shown[i].task->comm);
    EXPECT_EQ(at->second, shown[i].task->comm) << "of the same name in rows";
    compared += !is_new;
  }
  EXPECT_GT(compared, 10u);
}

TEST_F(Cutting, RefusesWhatIsNotThereOrThereAlready) {
  options_.begin_wall_ns -= 365 * 86400 * kSecondNs;
  options_.end_wall_ns = options_.begin_wall_ns + kSecondNs;
  EXPECT_TRUE(absl::IsOutOfRange(Cut(options_).status()));
  EXPECT_FALSE(std::filesystem::exists(options_.output));
  std::ofstream(options_.output) << "mine";
  EXPECT_TRUE(absl::IsAlreadyExists(Cut(options_).status()));
  EXPECT_EQ(std::filesystem::file_size(options_.output), 4u);
  options_.source = dir_.Path("none.db");
  options_.output = dir_.Path("other.db");
  EXPECT_TRUE(absl::IsNotFound(Cut(options_).status()));
}

TEST_F(Cutting, StopsWhenToldAndLeavesNothingBehind) {
  int ticks = 0;
  options_.go_on = [&](int64_t) { return ++ticks < 20; };
  EXPECT_TRUE(absl::IsCancelled(Cut(options_).status()));
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_FALSE(std::filesystem::exists(options_.output + suffix)) << suffix;
  }
}

TEST_F(Cutting, ACutThatWouldBeTooLargeIsRefused) {
  Record(writer_.get(), &world_, 2000, &recorded_);
  options_.end_wall_ns = recorded_.snapshots.back().tick.wall_ns;
  options_.max_bytes = 1u << 20;
  const absl::Status status = Cut(options_).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_FALSE(std::filesystem::exists(options_.output));
}

TEST_F(Cutting, CanBeCutAgain) {
  ASSERT_TRUE(Cut(options_).ok());
  CutOptions again = options_;
  again.source = options_.output;
  again.output = dir_.Path("again.db");
  ASSERT_TRUE(Cut(again).ok());
  ExpectHolds(again.output, Wanted());
  EXPECT_FALSE(OpenReader(again.output)->MadeFor()->has_value());
}

}  // namespace
}  // namespace taskmon::storage
