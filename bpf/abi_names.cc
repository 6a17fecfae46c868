// SPDX-License-Identifier: Apache-2.0
#include "bpf/abi_names.h"

namespace taskmon::bpf {

const char* HookGroupName(tm_hook_group group) {
  switch (group) {
    case TM_HOOKS_LIFECYCLE: return "lifecycle";
    case TM_HOOKS_SCHED: return "sched";
    case TM_HOOKS_SIGNAL: return "signal";
    case TM_HOOKS_SYSCALL: return "syscall";
    case TM_HOOKS_OOM: return "oom";
    case TM_HOOKS_PAGE_CACHE: return "page_cache";
    case TM_HOOKS_PAGE_CACHE_LOOKUP: return "page_cache_lookup";
    case TM_HOOKS_BLOCK: return "block";
    case TM_HOOKS_NET: return "net";
    case TM_HOOKS_CONNECT: return "connect";
    case TM_HOOK_GROUP_MAX: break;
  }
  return "unknown";
}

const char* DropName(tm_drop drop) {
  switch (drop) {
    case TM_DROP_RING_FINAL: return "ring_final";
    case TM_DROP_RING_FORK: return "ring_fork";
    case TM_DROP_RING_EXEC: return "ring_exec";
    case TM_DROP_RING_RENAME: return "ring_rename";
    case TM_DROP_RING_OOM: return "ring_oom";
    case TM_DROP_STORAGE: return "storage";
    case TM_DROP_BLOCK_MAP: return "block_map";
    case TM_DROP_LIFE: return "lives";
    case TM_DROP_VERDICT: return "verdict";
    case TM_DROP_PROCESS: return "process";
    case TM_DROP_MAX: break;
  }
  return "unknown";
}

}  // namespace taskmon::bpf
