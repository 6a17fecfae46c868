// SPDX-License-Identifier: Apache-2.0
#include "daemon/succession.h"

#include <utility>

namespace taskmon::daemon {
namespace {

void Begin(Thread* line, bool awaits_leader) {
  auto succession = std::make_unique<Succession>();
  succession->awaits_leader = awaits_leader;
  succession->leader = line->counters;
  succession->offset = line->counters;
  line->succession = std::move(succession);
  line->left.reset();
}

}  // namespace

bool AwaitsSuccession(const Thread& line) { return line.succession == nullptr || line.left != nullptr; }

void SucceedSeen(Thread* line, const Thread& caller, bool awaits_leader) {
  Begin(line, awaits_leader);
  Subtract(line->succession->offset, caller.counters);
  line->known = true;
  line->valid = caller.valid;
  line->state = caller.state;
  line->info_changed = true;
}

void SucceedUnseen(Thread* line) { Begin(line, line->known && line->left == nullptr); }

Counters InLine(const Thread& line, Counters counters) {
  if (line.succession != nullptr) Add(counters, line.succession->offset);
  return counters;
}

Counters AddRestOfLeader(Thread* line, const Counters& last) {
  Succession& succession = *line->succession;
  succession.awaits_leader = false;
  Counters rest = last;
  Subtract(rest, succession.leader);
  Add(succession.offset, rest);
  Counters counters = line->counters;
  Add(counters, rest);
  SetCounters(line, counters);
  line->changed = true;
  line->process->changed = true;
  return rest;
}

}  // namespace taskmon::daemon
