// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"

namespace taskmon::client {
namespace {

class Snapshot : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove(path_);
    answers_.pieces.resize(3);
    answers_.pieces[0].mutable_progress()->set_at_time_ns(kNow);
    answers_.pieces[1].set_data("bytes of ");
    answers_.pieces[2].set_data("the file");
    answers_.pieces[2].mutable_summary()->set_bytes(17);
    answers_.pieces[2].mutable_summary()->set_ticks(1800);
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string Content() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Outcome Cut() { return Invoke({"snapshot", "-b", "1h", "--output", path_, "--anonymize"}, &answers_); }

  const std::string path_ = testing::TempDir() + "snapshot-test-" + std::to_string(getpid()) + ".db";
  FakeAnswers answers_;
};

TEST_F(Snapshot, WritesTheFileAndSaysWhatIsInIt) {
  const Outcome outcome = Cut();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Content(), "bytes of the file");
  EXPECT_THAT(outcome.out, testing::HasSubstr("1,800 ticks"));
  EXPECT_EQ(outcome.err, "") << "progress is for terminals";
  EXPECT_EQ(answers_.snapshot_request.begin(), "1h");
  EXPECT_TRUE(answers_.snapshot_request.anonymize());
}

TEST_F(Snapshot, IsForItsOwnerAlone) {
  const mode_t mask = umask(0);
  EXPECT_EQ(Cut().code, 0);
  umask(mask);
  EXPECT_EQ(std::filesystem::status(path_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Snapshot, LeavesAFileThatIsThereAlone) {
  std::ofstream(path_) << "mine";
  EXPECT_EQ(Cut().code, 2);
  EXPECT_EQ(Content(), "mine");
}

TEST_F(Snapshot, LeavesNoHalfFileBehind) {
  answers_.result = absl::OutOfRangeError("no data");
  EXPECT_EQ(Cut().code, 6);
  EXPECT_FALSE(std::filesystem::exists(path_));
  answers_.result = absl::OkStatus();
  answers_.pieces.pop_back();
  EXPECT_EQ(Cut().code, 70) << "it broke off";
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Snapshot, SaysWhereItCannotWrite) {
  const Outcome outcome = Invoke({"snapshot", "-b", "1h", "--output", "/nonexistent/x.db"}, &answers_);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, testing::HasSubstr("/nonexistent/x.db"));
}

}  // namespace
}  // namespace taskmon::client
