// SPDX-License-Identifier: Apache-2.0
//
// An Engine over a live snapshot and a ring in memory. Rows are named as "tid", or "tidt" for thread rows; history rows
// have "@tick" behind. Everything that the engine looks at can be changed between calls.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/query/engine.h"
#include "tests/unit/query/world.h"

namespace taskmon::query {

class EngineTest : public testing::Test {
 protected:
  void Live(Snapshot snapshot) {
    live_ = Shared(std::move(snapshot));
    now_ = live_->tick.wall_ns;
  }

  Engine MakeEngine() {
    EngineOptions options;
    options.answer_bytes = answer_bytes_;
    options.longest = longest_;
    if (use_live_) {
      options.newest = [this] { return live_; };
      options.now_wall_ns = [this] { return now_; };
    }
    if (has_ring_) {
      options.open_ring = [this]() -> absl::StatusOr<std::unique_ptr<storage::RingReader>> {
        return std::make_unique<FakeRingReader>(&ring_);
      };
    }
    return Engine(std::move(options));
  }

  std::vector<std::string> List(const v1::ListTasksRequest& request, const Caller& caller = kRoot) {
    Begin();
    status_ = MakeEngine().ListTasks(request, caller, Sink(false));
    EXPECT_TRUE(status_.ok()) << status_;
    return rows_;
  }

  std::string ListError(const v1::ListTasksRequest& request, const Caller& caller = kRoot) {
    Begin();
    return MakeEngine().ListTasks(request, caller, Sink(false)).ToString();
  }

  std::vector<std::string> History(const v1::HistoryRequest& request, const Caller& caller = kRoot) {
    Begin();
    status_ = MakeEngine().ReadHistory(request, caller, Sink(true));
    EXPECT_TRUE(status_.ok()) << status_;
    return rows_;
  }

  std::string HistoryError(const v1::HistoryRequest& request, const Caller& caller = kRoot) {
    Begin();
    return MakeEngine().ReadHistory(request, caller, Sink(true)).ToString();
  }

  static GoOn Patience() {
    return GoOn([] { return true; }, std::chrono::hours(1));
  }

  std::shared_ptr<const Snapshot> live_;
  FakeRing ring_;
  int64_t now_ = kStart;
  bool use_live_ = true;
  bool has_ring_ = true;
  bool listening_ = true;
  int64_t answer_bytes_ = 128 << 20;
  std::chrono::seconds longest_{120};

  absl::Status status_;
  std::vector<std::string> rows_;
  int batches_ = 0;
  v1::TaskBatch last_;

 private:
  void Begin() {
    rows_.clear();
    batches_ = 0;
    last_.Clear();
  }

  Engine::TaskSink Sink(bool with_tick) {
    return [this, with_tick](const v1::TaskBatch& batch) {
      EXPECT_FALSE(last_.last()) << "nothing may follow the last batch";
      ++batches_;
      last_ = batch;
      for (const v1::Sample& sample : batch.samples()) {
        const v1::TaskInfo& task = batch.tasks(static_cast<int>(sample.task()));
        std::string row = std::to_string(task.tid()) + (task.thread() ? "t" : "");
        if (with_tick) row += "@" + std::to_string(batch.ticks(static_cast<int>(sample.tick())).seq());
        if (sample.ended_time_ns() != 0) row += "+";
        rows_.push_back(std::move(row));
      }
      return listening_;
    };
  }
};

}  // namespace taskmon::query
