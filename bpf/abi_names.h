// SPDX-License-Identifier: Apache-2.0
//
// What the numbers of taskmon_abi.h are called where people and the catalogue speak of them.
#pragma once

#include "bpf/taskmon_abi.h"

namespace taskmon::bpf {

// "lifecycle", "sched", … as metric.proto's MetricInfo.hook names them.
const char* HookGroupName(tm_hook_group group);
// "ring_final", … as status names them under `dropped`.
const char* DropName(tm_drop drop);

}  // namespace taskmon::bpf
