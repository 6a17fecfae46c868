// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch_answers.h"

#include <utility>

#include <fmt/format.h>

namespace taskmon::daemon {
namespace {

// Who sees everything sees the same as everybody else who does.
std::string KeyOf(const v1::Selection& selection, const query::Caller& caller) {
  const std::string who = caller.sees_everything ? "all" : fmt::format("{} {}", caller.uid, caller.hide_cmdline);
  return who + '\n' + selection.SerializeAsString();
}

// The slice owns the bytes.
grpc::Slice ToSlice(const v1::TaskBatch& batch) {
  auto* bytes = new std::string(batch.SerializeAsString());
  return grpc::Slice(
      bytes->data(), bytes->size(), [](void* owned) { delete static_cast<std::string*>(owned); }, bytes);
}

}  // namespace

std::shared_ptr<WatchAnswers::Question> WatchAnswers::QuestionOf(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  std::weak_ptr<Question>& known = questions_[key];
  std::shared_ptr<Question> question = known.lock();
  if (question == nullptr) known = question = std::make_shared<Question>();
  return question;
}

WatchAnswers::Watcher WatchAnswers::Join(const v1::Selection& selection, const query::Caller& caller, bool alone) {
  if (alone) return Watcher(this, "", std::make_shared<Question>());
  std::string key = KeyOf(selection, caller);
  std::shared_ptr<Question> question = QuestionOf(key);
  {
    absl::MutexLock lock(&question->mutex);
    ++question->watchers;
  }
  return Watcher(this, std::move(key), std::move(question));
}

void WatchAnswers::Leave(const std::string& key, std::shared_ptr<Question> question) {
  {
    absl::MutexLock lock(&question->mutex);
    if (question->watchers > 0) --question->watchers;
    if (question->taken >= question->watchers) question->pages.reset();
  }
  question.reset();
  absl::MutexLock lock(&mutex_);
  const auto known = questions_.find(key);
  if (known != questions_.end() && known->second.expired()) questions_.erase(known);
}

std::shared_ptr<const WatchAnswers::Pages> WatchAnswers::Take(Question* question, uint64_t seq, const Encode& encode) {
  absl::MutexLock lock(&question->mutex);
  // One who is behind, whose tick the others have left.
  if (question->watchers <= 1 || seq < question->seq) return Make(encode);
  if (question->seq != seq) {
    question->seq = seq;
    question->taken = 0;
    question->pages = Make(encode);
  }
  // All had it, and one joined since.
  std::shared_ptr<const Pages> pages = question->pages != nullptr ? question->pages : Make(encode);
  if (++question->taken >= question->watchers) question->pages.reset();
  return pages;
}

std::shared_ptr<const WatchAnswers::Pages> WatchAnswers::Make(const Encode& encode) {
  auto pages = std::make_shared<Pages>();
  for (const v1::TaskBatch& batch : encode()) pages->push_back(ToSlice(batch));
  encoded_.fetch_add(1, std::memory_order_relaxed);
  return pages;
}

}  // namespace taskmon::daemon
