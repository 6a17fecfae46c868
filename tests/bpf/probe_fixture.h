// SPDX-License-Identifier: Apache-2.0
//
// A loaded probe on the real kernel, what it reported so far, and children that do counted things. One test at a time,
// one thread. Waiting is always for a record or for /proc, up to a deadline that only a failure reaches.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bpf/probe.h"

namespace taskmon::bpf {

// One record of the ring, kept.
class RingRecord {
 public:
  explicit RingRecord(const tm_record_header& header)
      : bytes_(reinterpret_cast<const char*>(&header), reinterpret_cast<const char*>(&header) + header.size) {
    bytes_.resize(std::max<size_t>(bytes_.size(), sizeof(tm_exec_record)));
  }
  int kind() const { return As<tm_record_header>().kind; }
  template <typename T>
  const T& As() const {
    return *reinterpret_cast<const T*>(bytes_.data());
  }

 private:
  std::vector<char> bytes_;
};

// A forked child that runs `body` once Go() is called, then exits with what it returns. Reaped by Wait() or at the end.
class Child {
 public:
  using Body = std::function<int()>;
  explicit Child(Body body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t tid() const { return tid_; }
  void Go();
  // wait(2) status; `usage` of this child alone.
  int Wait(rusage* usage = nullptr);

 private:
  pid_t tid_ = -1;
  int start_fd_ = -1;
  bool reaped_ = false;
};

// Two ends by which a child and its test keep in step: each Signal() lets one Await() on the other side return.
class Gate {
 public:
  Gate();
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void Signal();
  void Await();

 private:
  int fds_[2];
};

class ProbeTest : public testing::Test {
 protected:
  // Opens, loads and attaches `groups`; skips where BPF cannot be loaded.
  void Start(const std::vector<tm_hook_group>& groups, const ProbeOptions& options = {});

  // One pass, by tid. All tasks unless told otherwise.
  std::map<pid_t, tm_task_record> Pass(bool all = true);
  tm_task_record PassOf(pid_t tid, bool all = true);

  void Drain();
  // Records of one kind about one process (or, for fork, with it as child), oldest first.
  template <typename T>
  std::vector<T> Of(int kind, pid_t tgid) {
    Drain();
    std::vector<T> found;
    for (const RingRecord& record : ring_) {
      if (record.kind() == kind && record.As<T>().id.tgid == tgid) found.push_back(record.As<T>());
    }
    return found;
  }
  std::vector<tm_task_record> Finals(pid_t tgid) { return Of<tm_task_record>(TM_RECORD_FINAL, tgid); }
  // Waits for `count` final records of a process.
  std::vector<tm_task_record> AwaitFinals(pid_t tgid, size_t count);
  // All threads' final records are there, and exactly one of them, the last, closes the process.
  void ExpectClosedOnce(pid_t tgid, size_t threads);
  // Runs a child to its end and returns its only final record.
  tm_task_record FinalOf(const Child::Body& body);

  static bool Eventually(const std::function<bool()>& condition);

  std::unique_ptr<Probe> probe_;
  std::vector<RingRecord> ring_;
};

std::string ReadFile(const std::string& path);
// The value behind "Name:" in a /proc status-like file; the first number of it.
uint64_t ProcValue(const std::string& path, const std::string& name);
// Field by its number in proc(5), counted from 1, of a stat file; what stands in parentheses may hold anything.
std::string StatField(const std::string& path, int number);
std::string TaskPath(pid_t tid, const std::string& file);
bool AwaitState(pid_t tid, char state);
// A child that ends at once, reaped: its former number.
pid_t LiveForAMoment();
// Burns this thread's CPU time.
void Spin(uint64_t ns);
void PinTo(int cpu, pid_t tid = 0);

}  // namespace taskmon::bpf
