/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Between walk.bpf.c and task_pass.cc: a pass in stretches, each a run of the program that goes on where the last one
 * stopped. Plain C, compiled as C++ and BPF. */
#ifndef TASKMON_WALK_ABI_H
#define TASKMON_WALK_ABI_H

#include "taskmon_abi.h"

enum {
	/* No CPU is kept from other work longer than a stretch takes: so many tasks are looked at, about 1 ms, and the rest
	 * of the last one's threads. */
	TM_WALK_TASKS = 4096,
	TM_WALK_LONGEST = 1 << 22, /* more than there can be tasks: for the verifier */
	TM_WALK_RECORDS = 64,	/* a stretch ends after so many, so that few pages are in use */
	TM_WALK_ROOM = 1024,	/* … or goes on to here, within a process */
};

enum tm_walk_outcome {
	TM_WALK_DONE = 0,
	TM_WALK_GOES_ON = 1,
	TM_WALK_LOST = 2,	/* the process it was to go on from is gone */
	TM_WALK_FULL = 3,	/* more records of one process than there is room for */
};

struct tm_walk {
	__s32 own_tgid;		/* where a pass begins and ends */
	__s32 next_tgid;	/* where to go on */
	__u64 next_start_ns;	/* of it; 0: any */
	__u32 records;		/* of the stretch */
	__u32 looked_at;	/* of the stretch */
	/* Of no meaning outside of a stretch: addresses in the kernel. Here, because what the verifier reads from a map it
	 * takes for a number, as it must to let them be passed on. */
	__u64 leader;
	__u64 task;
	__u64 thread_head;	/* of the process; 0: it has one thread */
};

#endif
