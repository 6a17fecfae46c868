// SPDX-License-Identifier: Apache-2.0
//
// Who asks, and what he may see (design: who may do what). Filled by whoever knows the peer: taskmond from SO_PEERCRED,
// taskmonctl --file from itself. A value.
#pragma once

#include <cstdint>

#include "daemon/query/row.h"

namespace taskmon::query {

struct Caller {
  uint32_t uid = 0;
  bool sees_everything = false;  // uid 0, or member of group taskmon or taskmon-admin
  bool admin = false;            // uid 0 or group taskmon-admin
  bool hide_cmdline = false;     // /proc has hidepid: command lines of others are guarded too
};

inline Row MakeRow(const Snapshot& snapshot, const TaskSample& sample, const Caller& caller) {
  const bool own = caller.sees_everything || sample.info->uid == caller.uid;
  return {
      .snapshot = &snapshot, .sample = &sample, .guarded_visible = own, .cmdline_visible = own || !caller.hide_cmdline};
}

}  // namespace taskmon::query
