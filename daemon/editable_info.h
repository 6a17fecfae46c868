// SPDX-License-Identifier: Apache-2.0
//
// What is said of a process, as it was published and as it becomes. Published infos are shared with snapshots and
// events and never change: an edit goes on in a copy, which the next publication makes the published one. Most
// processes are never edited again, so that they have one info in memory.
#pragma once

#include <memory>
#include <utility>

#include "storage/sample.h"

namespace taskmon::daemon {

class EditableInfo {
 public:
  // As it becomes.
  const TaskInfo& operator*() const { return next_ != nullptr ? *next_ : *published_; }
  const TaskInfo* operator->() const { return &**this; }

  TaskInfo& Edit() {
    if (next_ == nullptr) next_ = std::make_shared<TaskInfo>(*published_);
    return *next_;
  }
  // Edits only where that changes the field.
  template <typename Field, typename Value>
  bool Set(Field TaskInfo::*field, const Value& value) {
    if ((**this).*field == value) return false;
    Edit().*field = value;
    return true;
  }
  // Begins as a copy of another.
  void CopyFrom(const EditableInfo& other) { next_ = std::make_shared<TaskInfo>(*other); }

  std::shared_ptr<const TaskInfo> Publish() {
    if (next_ != nullptr) published_ = std::move(next_);
    return published_;
  }
  // null: never published.
  const std::shared_ptr<const TaskInfo>& published() const { return published_; }

 private:
  std::shared_ptr<const TaskInfo> published_;
  std::shared_ptr<TaskInfo> next_ = std::make_shared<TaskInfo>();  // null: nothing is new
};

}  // namespace taskmon::daemon
