/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a walk writes for user space to read: see walk.bpf.c. */
#ifndef TASKMON_WALK_BPF_H
#define TASKMON_WALK_BPF_H

#include "kernel_types.bpf.h"
#include "walk_abi.h"

#include <bpf/bpf_helpers.h>

struct tm_walked_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TM_WALK_ROOM);
	__type(key, u32);
	__type(value, struct tm_task_record);
};

extern struct tm_walked_map tm_walked SEC(".maps");
extern struct tm_walk tm_walk;

#endif
