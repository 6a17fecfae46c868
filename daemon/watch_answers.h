// SPDX-License-Identifier: Apache-2.0
//
// What watchers get at a tick, encoded once: those with the same question and the same rights share its bytes. The
// first that comes for a tick encodes while the others wait; the bytes go when all have them, or with the next tick.
// Safe from every thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/support/slice.h>

#include "daemon/query/caller.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::daemon {

class WatchAnswers {
 public:
  using Encode = std::function<std::vector<v1::TaskBatch>()>;
  using Pages = std::vector<grpc::Slice>;  // each a TaskBatch

  // Held by each watcher for as long as it watches.
  class Watcher;

  // One who asks for `selection`. `alone`: his answers are like nobody else's, because he remembers ticks.
  Watcher Join(const v1::Selection& selection, const query::Caller& caller, bool alone);

  uint64_t encoded() const { return encoded_.load(std::memory_order_relaxed); }  // answers, since start

 private:
  // The answers to one question. Its mutex and that of all are never held together.
  struct Question {
    absl::Mutex mutex;
    size_t watchers ABSL_GUARDED_BY(mutex) = 0;
    uint64_t seq ABSL_GUARDED_BY(mutex) = 0;
    size_t taken ABSL_GUARDED_BY(mutex) = 0;  // by so many watchers
    std::shared_ptr<const Pages> pages ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<const Pages> Take(Question* question, uint64_t seq, const Encode& encode);
  std::shared_ptr<const Pages> Make(const Encode& encode);
  std::shared_ptr<Question> QuestionOf(const std::string& key) ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const std::string& key, std::shared_ptr<Question> question) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<Question>> questions_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> encoded_ = 0;
};

class WatchAnswers::Watcher {
 public:
  Watcher(WatchAnswers* answers, std::string key, std::shared_ptr<Question> question)
      : answers_(answers), key_(std::move(key)), question_(std::move(question)) {}
  Watcher(Watcher&&) = default;
  Watcher& operator=(Watcher&&) = delete;
  ~Watcher() {
    if (question_ != nullptr) answers_->Leave(key_, std::move(question_));
  }

  // The answer of tick `seq`, which `encode` makes where nobody has yet.
  std::shared_ptr<const Pages> Take(uint64_t seq, const Encode& encode) {
    return answers_->Take(question_.get(), seq, encode);
  }

 private:
  WatchAnswers* answers_;
  std::string key_;
  std::shared_ptr<Question> question_;
};

}  // namespace taskmon::daemon
