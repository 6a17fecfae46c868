// SPDX-License-Identifier: Apache-2.0
//
// Exec by a thread other than the leader: how the leader's line goes on with another task's counters and never falls.
// Pure functions over the lines of the task table; the sampler's thread.
#pragma once

#include "daemon/task_table.h"

namespace taskmon::daemon {

// Another task goes on in the line, if exec succeeded, and it is not known yet who.
bool AwaitsSuccession(const Thread& line);

// `caller` goes on in the line, the rest of whose leader is still to come or not.
void SucceedSeen(Thread* line, const Thread& caller, bool awaits_leader);
// Nothing is known of what the successor did under its own number: it was left out, or its records were lost.
void SucceedUnseen(Thread* line);

// What the kernel has counted of the task behind the line, in terms of the line.
Counters InLine(const Thread& line, Counters counters);

// Where the successor was faster than the old leader's last record: what that did since it was last seen goes to the
// line after all. Gives what was added.
Counters AddRestOfLeader(Thread* line, const Counters& last);

}  // namespace taskmon::daemon
