// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/probe_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

namespace taskmon::bpf {

Child::Child(Body body) {
  int fds[2];
  if (pipe(fds) != 0) std::abort();
  tid_ = fork();
  if (tid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // it does not outlive a test that is killed
    close(fds[1]);
    char go;
    const bool told = read(fds[0], &go, 1) == 1;
    close(fds[0]);
    _exit(told ? body() : 99);
  }
  close(fds[0]);
  start_fd_ = fds[1];
}

void Child::Go() {
  if (write(start_fd_, "g", 1) != 1) std::abort();
  close(start_fd_);
  start_fd_ = -1;
}

int Child::Wait(rusage* usage) {
  int status = -1;
  while (wait4(tid_, &status, 0, usage) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  return status;
}

Child::~Child() {
  if (start_fd_ >= 0) close(start_fd_);
  if (reaped_) return;
  kill(tid_, SIGKILL);
  Wait();
}

Gate::Gate() {
  if (pipe(fds_) != 0) std::abort();
}
Gate::~Gate() {
  close(fds_[0]);
  close(fds_[1]);
}
void Gate::Signal() {
  if (write(fds_[1], "g", 1) != 1) std::abort();
}
void Gate::Await() {
  char go;
  while (read(fds_[0], &go, 1) != 1) {
  }
}

void ProbeTest::Start(const std::vector<tm_hook_group>& groups, const ProbeOptions& options) {
  auto probe = Probe::Open(options);
  if (!probe.ok()) GTEST_SKIP() << probe.status();
  probe_ = *std::move(probe);
  const absl::Status loaded = probe_->Load();
  if (absl::IsPermissionDenied(loaded)) GTEST_SKIP() << loaded;
  ASSERT_TRUE(loaded.ok()) << loaded;
  for (tm_hook_group group : groups) {
    const absl::Status attached = probe_->Attach(group);
    if (absl::IsFailedPrecondition(attached)) GTEST_SKIP() << attached;
    ASSERT_TRUE(attached.ok()) << attached;
  }
}

std::map<pid_t, tm_task_record> ProbeTest::Pass(bool all) {
  std::map<pid_t, tm_task_record> tasks;
  const absl::Status status =
      probe_->Collect(all, [&](const tm_task_record& record) { tasks[record.id.tid] = record; });
  EXPECT_TRUE(status.ok()) << status;
  return tasks;
}

tm_task_record ProbeTest::PassOf(pid_t tid, bool all) {
  auto tasks = Pass(all);
  EXPECT_EQ(tasks.count(tid), 1u) << "task " << tid << " is not in the pass";
  return tasks[tid];
}

void ProbeTest::Drain() {
  probe_->DrainRing([this](const tm_record_header& header) { ring_.emplace_back(header); });
}

bool ProbeTest::Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::vector<tm_task_record> ProbeTest::AwaitFinals(pid_t tgid, size_t count) {
  std::vector<tm_task_record> finals;
  EXPECT_TRUE(Eventually([&] {
    finals = Finals(tgid);
    return finals.size() >= count;
  })) << finals.size()
      << " of " << count << " final records";
  return finals;
}

void ProbeTest::ExpectClosedOnce(pid_t tgid, size_t threads) {
  const auto finals = AwaitFinals(tgid, threads);
  ASSERT_EQ(finals.size(), threads);
  for (const tm_task_record& final : finals) {
    EXPECT_EQ((final.flags & TM_TASK_GROUP_DEAD) != 0, &final == &finals.back()) << final.id.tid;
  }
}

tm_task_record ProbeTest::FinalOf(const Child::Body& body) {
  Child child(body);
  child.Go();
  child.Wait();
  const auto finals = AwaitFinals(child.tid(), 1);
  return finals.empty() ? tm_task_record{} : finals.front();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

uint64_t ProcValue(const std::string& path, const std::string& name) {
  std::istringstream lines(ReadFile(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10);
  }
  ADD_FAILURE() << path << " has no " << name;
  return 0;
}

std::string StatField(const std::string& path, int number) {
  const std::string stat = ReadFile(path);
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return "";
  std::istringstream fields(stat.substr(end + 1));
  std::string field;
  for (int i = 3; i <= number && fields >> field; ++i) {
  }
  return field;
}

std::string TaskPath(pid_t tid, const std::string& file) { return "/proc/" + std::to_string(tid) + "/" + file; }

bool AwaitState(pid_t tid, char state) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (StatField(TaskPath(tid, "stat"), 3) != std::string(1, state)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

pid_t LiveForAMoment() {
  const pid_t tid = fork();
  if (tid == 0) _exit(0);
  waitpid(tid, nullptr, 0);
  return tid;
}

void Spin(uint64_t ns) {
  timespec now{};
  auto used = [&now] {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  };
  const uint64_t end = used() + ns;
  while (used() < end) {
  }
}

void PinTo(int cpu, pid_t tid) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(tid, sizeof(set), &set) != 0) std::abort();
}

}  // namespace taskmon::bpf
