// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/exit_code.h"
#include "client/file_backend.h"
#include "client/grpc_backend.h"
#include "fake_backend.h"

namespace taskmon::client {
namespace {

TEST(ExitCodes, FollowTheContract) {
  const std::pair<absl::Status, int> kCases[] = {{absl::InvalidArgumentError("column 3: expected a value"), 2},
                                                 {absl::ResourceExhaustedError("more than 100000 tasks"), 2},
                                                 {absl::UnavailableError("not reachable"), 3},
                                                 {absl::PermissionDeniedError("no"), 4},
                                                 {absl::OutOfRangeError("nothing stored for"), 6},
                                                 {absl::NotFoundError("no history yet"), 6},
                                                 {absl::InternalError("bug"), 70},
                                                 {absl::UnimplementedError("older"), 70}};
  for (const auto& [status, code] : kCases) {
    FakeAnswers answers;
    answers.result = status;
    for (const char* command : {"ps", "history", "watch", "events", "status", "doctor"}) {
      const Outcome result = Invoke({command}, &answers);
      EXPECT_EQ(result.code, code) << command;
      EXPECT_EQ(result.err, "taskmonctl: " + std::string(status.message()) + "\n") << command;
      EXPECT_EQ(result.out, "") << command;
    }
  }
}

TEST(Errors, AreOneLineWithoutControlCharacters) {
  FakeAnswers answers;
  answers.result = absl::InvalidArgumentError("column 1: unknown '\x1b[2J\n'");
  EXPECT_EQ(Invoke({"ps"}, &answers).err, "taskmonctl: column 1: unknown '\\x1b[2J\\x0a'\n");
}

TEST(Errors, AWarningDoesNotStopTheQuestion) {
  FakeAnswers answers;
  for (const char* command : {"ps", "history", "watch", "events"}) {
    const Outcome result = Invoke({command, "comm == a-name-of-17-byte"}, &answers);
    EXPECT_EQ(result.code, 1) << command;
    EXPECT_THAT(result.err, testing::StartsWith("taskmonctl: warning: column 9: 'a-name-of-17-byte' has 17 bytes"));
  }
}

TEST(Errors, AnInterruptionIsQuiet) {
  FakeAnswers answers;
  answers.result = absl::CancelledError("stopped");
  const Outcome result = Invoke({"watch", "-o", "json"}, &answers);
  EXPECT_EQ(result.code, 130);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "[]\n");
}

TEST(Errors, ABatchThatDoesNotFitTogetherIsInternal) {
  FakeAnswers answers;
  v1::TaskBatch batch = MakeBatch();
  AddTask(1, "init", &batch)->set_task(9);
  answers.batches.push_back(batch);
  for (const char* command : {"ps", "watch", "history"}) EXPECT_EQ(Invoke({command}, &answers).code, 70) << command;
}

TEST(Errors, AFailedWriteIsReported) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  Output out(full);
  out.Write("x");
  EXPECT_FALSE(out.Flush());
  EXPECT_FALSE(out.broken_pipe());
  EXPECT_THAT(std::string(out.status().message()), testing::HasSubstr("No space left"));
  close(full);
}

TEST(Errors, AClosedPipeIsToldApart) {
  signal(SIGPIPE, SIG_IGN);
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  close(pipe_fds[0]);
  Output out(pipe_fds[1]);
  out.Write("x");
  EXPECT_FALSE(out.Flush());
  EXPECT_TRUE(out.broken_pipe());
  close(pipe_fds[1]);
}

TEST(GrpcBackend, SaysWhatToDoWhenNobodyListens) {
  const auto status = MakeGrpcBackend("/nonexistent/taskmond.sock")->GetStatus().status();
  EXPECT_EQ(ExitCodeFor(status), 3);
  EXPECT_EQ(std::string(status.message()),
            "taskmond is not reachable at /nonexistent/taskmond.sock: No such file or directory; start it with "
            "'systemctl start taskmond' or pass --socket");
}

// Root may use every socket, so the question is asked without its rights.
[[noreturn]] void AskAsNobody(const std::string& path) {
  if (geteuid() == 0 && setuid(65534) != 0) _exit(99);
  const auto status = MakeGrpcBackend(path)->GetStatus().status();
  fmt::print(stderr, "{}\n", std::string(status.message()));
  _exit(ExitCodeFor(status));
}

TEST(GrpcBackend, SaysWhichGroupWouldGrantAccess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a fresh process: gRPC does not survive a fork
  // The fresh process runs the test again up to the question, at the same path.
  setenv("TASKMON_CLOSED_SOCKET", fmt::format("{}/taskmon-closed-{}.sock", testing::TempDir(), getpid()).c_str(), 0);
  const std::string path = getenv("TASKMON_CLOSED_SOCKET");
  unlink(path.c_str());
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX};
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  EXPECT_EXIT(AskAsNobody(path), testing::ExitedWithCode(4), "membership of group taskmon grants it");
  close(listener);
  unlink(path.c_str());
}

TEST(FileBackend, RefusesWhatIsNoFile) {
  EXPECT_EQ(ExitCodeFor(OpenFileBackend("/nonexistent.db").status()), 2);
  EXPECT_EQ(ExitCodeFor(OpenFileBackend("/").status()), 2);
}

TEST(FileBackend, RefusesWhatNeedsARunningSystem) {
  const std::string path = fmt::format("{}/empty-{}.db", testing::TempDir(), getpid());
  close(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const auto backend = OpenFileBackend(path);
  ASSERT_TRUE(backend.ok());
  EXPECT_EQ(ExitCodeFor((*backend)->GetStatus().status()), 2);
  EXPECT_EQ(ExitCodeFor((*backend)->GetDoctor().status()), 2);
  EXPECT_EQ(ExitCodeFor((*backend)->WatchTasks({}, {})), 2);
  unlink(path.c_str());
}

}  // namespace
}  // namespace taskmon::client
