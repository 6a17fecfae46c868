// SPDX-License-Identifier: Apache-2.0
//
// What a row of a group (--by) is called. Pure.
#pragma once

#include <string>

#include "client/fields.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

// Empty: the tasks that have none. Users without a name are told apart by number; the first rule is the one that
// decides.
inline std::string GroupNameOf(const v1::TaskInfo& task, Attribute by) {
  switch (by) {
    case Attribute::kApp: return task.app();
    case Attribute::kUnit: return task.unit();
    case Attribute::kUser: return task.user().empty() ? std::to_string(task.uid()) : task.user();
    case Attribute::kRules: return task.rules().empty() ? "" : task.rules(0);
    default: return task.comm();
  }
}

}  // namespace taskmon::client
