// SPDX-License-Identifier: Apache-2.0
//
// Asks the backend in threads of its own, so that the screen never waits: one pair for what comes live (ticks, events),
// one for what a person waits for (a moment, a task), one for what may take a while (the time bar, the graphs). Each
// has its own connection. Of the questions of one kind only the newest counts.
//
// Ask and Take belong to one thread; `wake` is called from others whenever there is something to take.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <absl/status/statusor.h>

#include "client/backend.h"
#include "client/top/question.h"

namespace taskmon::client::top {

class Source {
 public:
  using Open = std::function<absl::StatusOr<std::unique_ptr<Backend>>()>;

  Source(Open open, std::function<void()> wake);
  ~Source();  // ends all calls in progress
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  void Ask(Asked asked);
  std::vector<Answer> Take();

 private:
  class Stream;
  class Worker;

  void Post(Answer answer);
  void StartLive(uint64_t number, const Scope& scope);

  const Open open_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::deque<Answer> answers_;  // guarded by mutex_
  std::vector<std::unique_ptr<Stream>> live_;
  std::unique_ptr<Worker> prompt_;
  std::unique_ptr<Worker> patient_;
};

}  // namespace taskmon::client::top
