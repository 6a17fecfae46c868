// SPDX-License-Identifier: Apache-2.0
//
// The part of Model that makes the rows anew and finds the cursor's task among them.
#include <algorithm>

#include "client/top/model.h"

namespace taskmon::client::top {
void Model::Rebuild(bool keep_task) {
  if (state_.frame == nullptr) return;
  const bool had = !names_.empty() && state_.cursor < static_cast<int>(names_.size());
  const RowName before = had ? names_[static_cast<size_t>(state_.cursor)] : RowName();
  state_.rows = MakeView(*state_.frame, {.sort = SortColumn(state_),
                                         .invert = state_.invert,
                                         .tree = state_.tree,
                                         .group = state_.group,
                                         .kernel_threads = state_.kernel_threads,
                                         .active_only = state_.active_only,
                                         .ended = state_.ended,
                                         .fold_storms = state_.fold_storms,
                                         .folded = state_.folded,
                                         .unfolded = state_.unfolded});
  names_.clear();
  for (const ViewRow& row : state_.rows) {
    names_.push_back(row.is_group()
                         ? RowName{.group = row.key()}
                         : RowName{.id = state_.frame->items[static_cast<size_t>(row.item)].id, .group = ""});
  }
  if (had && keep_task) {
    const auto found = std::find(names_.begin(), names_.end(), before);
    if (found != names_.end()) {
      state_.cursor = static_cast<int>(found - names_.begin());
    } else if (state_.follow && before.id.tid != 0) {
      Advise("the followed task is gone");
      state_.follow = false;
    }
  }
  KeepCursorVisible();
}

}  // namespace taskmon::client::top
