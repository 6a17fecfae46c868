// SPDX-License-Identifier: Apache-2.0
#include "client/waiting.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_backend.h"

namespace taskmon::client {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::chrono::milliseconds kAtOnce{0};
constexpr char kErase[] = "\r\033[K";

class WaitingTest : public testing::Test {
 protected:
  ~WaitingTest() override {
    close(out_fd_);
    close(err_fd_);
  }

  static std::string Text(int fd) {
    std::string text(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
    text.resize(static_cast<size_t>(pread(fd, text.data(), text.size(), 0)));
    return text;
  }

  // Until the line stands there, which another thread sees to.
  std::string WaitForLine() {
    while (Text(err_fd_).empty()) sched_yield();
    return Text(err_fd_);
  }

  const int out_fd_ = memfd_create("out", MFD_CLOEXEC);
  const int err_fd_ = memfd_create("err", MFD_CLOEXEC);
  Output out_{out_fd_};
  Output err_{err_fd_};
  Context context_{.out = &out_, .err = &err_, .terminal = {.is_terminal = true, .width = 80}, .err_is_terminal = true};
  FakeAnswers answers_;
  FakeBackend backend_{&answers_};
};

TEST_F(WaitingTest, TellsWhatGoesOnAndLeavesNothingBehind) {
  {
    Waiting waiting("reading the history", &backend_, &context_, kAtOnce);
    EXPECT_THAT(WaitForLine(), StartsWith(std::string(kErase) + "reading the history, 0 s"));
  }
  EXPECT_THAT(Text(err_fd_), EndsWith(kErase));
}

TEST_F(WaitingTest, IsGoneBeforeTheAnswerIsOnTheSameTerminal) {
  Waiting waiting("reading", &backend_, &context_, kAtOnce);
  WaitForLine();
  out_.Write("a row\n");
  out_.Flush();
  const std::string at_the_row = Text(err_fd_);
  EXPECT_THAT(at_the_row, EndsWith(kErase));
  waiting.At("further");
  EXPECT_EQ(Text(err_fd_), at_the_row);
}

TEST_F(WaitingTest, GoesOnWhereTheAnswerIsElsewhere) {
  context_.terminal.is_terminal = false;
  Waiting waiting("reading", &backend_, &context_, kAtOnce);
  waiting.At("row 1");
  out_.Write("a row\n");
  out_.Flush();
  while (Text(err_fd_).find("reading: row 1") == std::string::npos) sched_yield();
}

TEST_F(WaitingTest, IsSilentWhereNobodyLooksAndWhenItIsQuick) {
  { Waiting waiting("reading", &backend_, &context_); }
  EXPECT_EQ(Text(err_fd_), "");
  context_.err_is_terminal = false;
  {
    Waiting waiting("reading", &backend_, &context_, kAtOnce);
    waiting.At(kNow);
  }
  EXPECT_EQ(Text(err_fd_), "");
}

TEST_F(WaitingTest, IsNoWiderThanTheTerminal) {
  context_.terminal.width = 20;
  Waiting waiting(std::string(100, 'x'), &backend_, &context_, kAtOnce);
  EXPECT_THAT(WaitForLine(), HasSubstr(std::string(18, 'x') + "…"));
}

}  // namespace
}  // namespace taskmon::client
