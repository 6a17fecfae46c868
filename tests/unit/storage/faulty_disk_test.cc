// SPDX-License-Identifier: Apache-2.0
//
// Every call that SQLite makes of the disk fails once, and every one fails together with some after it: nothing that
// was stored is lost, and writing goes on as soon as the disk does.
#include "tests/unit/storage/faulty_disk.h"

#include <cstdio>
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

constexpr int kTicks = 14;
constexpr int kReopenAt = 7;
// More than any run makes; a run in which nothing failed is the last one.
constexpr uint64_t kMostCalls = 100'000;

struct Run {
  uint64_t faults = 0;
  uint64_t failed_opens = 0;
  uint64_t failed_appends = 0;
  uint64_t failed_closes = 0;
  std::map<uint64_t, Snapshot> tried;  // by tick number
  std::vector<uint64_t> stored;        // of those, that Append said are stored
};

// A daemon's life with a restart in the middle of it, on a disk that fails as planned.
class Recording {
 public:
  Recording(FaultyDisk* disk, const RingOptions& options) : disk_(disk), options_(options) {}

  Run Write() {
    for (int tick = 0; tick < kTicks; ++tick) {
      if (tick == kReopenAt) Close();
      if (tick + 1 == kTicks) disk_->Mend();
      Append();
    }
    Close();
    run_.faults = disk_->faults();
    return std::move(run_);
  }

 private:
  void Append() {
    const Snapshot& snapshot = world_.Next();
    std::vector<Event> events = world_.TakeEvents();
    if (!Open()) return;
    run_.tried.emplace(snapshot.tick.seq, snapshot);
    if (writer_->Append(snapshot, &events).ok()) {
      run_.stored.push_back(snapshot.tick.seq);
    } else {
      ++run_.failed_appends;
    }
  }

  bool Open() {
    if (writer_ != nullptr) return true;
    auto writer = RingWriter::Open(options_);
    if (writer.ok()) return writer_ = *std::move(writer), true;
    EXPECT_FALSE(writer.status().message().empty());
    ++run_.failed_opens;
    return false;
  }

  void Close() {
    if (writer_ == nullptr) return;
    run_.failed_closes += writer_->Close().ok() ? 0 : 1;
    EXPECT_EQ(writer_->stats().set_aside, "") << "a disk that fails is no damaged file";
    writer_.reset();
  }

  FaultyDisk* const disk_;
  const RingOptions options_;
  FakeWorld world_{{.seed = 77, .tasks = 8, .churn = 0.1, .lost = false}};
  std::unique_ptr<RingWriter> writer_;
  Run run_;
};

void ExpectNothingLost(const std::string& path, const Run& run) {
  std::map<uint64_t, Snapshot> got;
  for (Snapshot& snapshot : ReadAll(path)) {
    const uint64_t seq = snapshot.tick.seq;
    ASSERT_TRUE(got.emplace(seq, std::move(snapshot)).second) << "tick " << seq << " is there twice";
  }
  for (const uint64_t seq : run.stored) {
    ASSERT_TRUE(got.contains(seq)) << "tick " << seq << " was stored";
    ExpectSameSnapshot(run.tried.at(seq), got.at(seq));
  }
  ASSERT_FALSE(run.stored.empty());
  EXPECT_EQ(run.stored.back(), run.tried.rbegin()->first) << "writing resumes";
  EXPECT_EQ(IntegrityCheck(path), "ok");
}

// Lets the first, second … call fail until there is none left.
void FailEach(FaultyDisk::Call call, uint64_t more) {
  uint64_t runs = 0;
  uint64_t faults = 0;
  uint64_t ticks_refused = 0;
  uint64_t opens_refused = 0;
  for (uint64_t n = 1; n < kMostCalls; ++n) {
    TempDir dir;
    FaultyDisk disk;
    RingOptions options = TestOptions(dir.Path("h.db"));
    options.chunk_ticks = 4;
    disk.Fail(call, n, more);
    const Run run = Recording(&disk, options).Write();
    ExpectNothingLost(options.path, run);
    ASSERT_FALSE(testing::Test::HasFailure()) << FaultyDisk::Name(call) << " " << n << " and " << more << " more";
    if (run.faults == 0) break;
    ++runs;
    faults += run.faults;
    ticks_refused += run.failed_appends;
    opens_refused += run.failed_opens;
  }
  std::printf("%s, each and %llu more: %llu runs, %llu faults, %llu ticks and %llu opens refused, none lost\n",
              FaultyDisk::Name(call).c_str(), static_cast<unsigned long long>(more),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(faults),
              static_cast<unsigned long long>(ticks_refused), static_cast<unsigned long long>(opens_refused));
}

class FaultyDiskTest : public testing::TestWithParam<FaultyDisk::Call> {};

TEST_P(FaultyDiskTest, AnyOneCallThatFailsCostsAtMostItsTick) { FailEach(GetParam(), 0); }

TEST_P(FaultyDiskTest, ADiskThatFailsForAWhileCostsOnlyThatWhile) { FailEach(GetParam(), 6); }

std::string TestName(const testing::TestParamInfo<FaultyDisk::Call>& info) {
  constexpr const char* kNames[] = {"Open", "Read", "Write", "Sync", "Truncate", "MapShared", "Delete"};
  return kNames[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Calls, FaultyDiskTest, testing::ValuesIn(FaultyDisk::kCalls), TestName);

}  // namespace
}  // namespace taskmon::storage
