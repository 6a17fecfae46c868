/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fixed thresholds over what hooks keep, asked of a process in each pass that comes to one of its tasks, and once more
 * when a task exits. What was crossed stays crossed, until user space takes the decision back.
 *
 * Totals and rates are the process's: a rate is what all its threads, dead ones included, added between two passes. As
 * idle tasks add nothing, the passes that leave them out are not missed. A maximum is that of any thread.
 */
#ifndef TASKMON_THRESHOLDS_BPF_H
#define TASKMON_THRESHOLDS_BPF_H

#include "block.bpf.h"
#include "process.bpf.h"
#include "rules.bpf.h"

extern __u64 tm_pass_us; /* between the latest two passes; 0: there were none */

/* Who looks: a hook cannot be interrupted by another one on its CPU, but the iterator by a hook. */
enum tm_looker { TM_LOOKS_ITERATOR, TM_LOOKS_HOOK, TM_LOOKERS };

/* What a threshold may be over; struct tm_threshold.value is an index of values. */
struct tm_look {
	u64 values[TM_VALUES];
	u64 grown[TM_HOOKED_COUNTERS];	/* by the task, since it was last seen */
};

struct tm_looks_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TM_LOOKERS);
	__type(key, u32);
	__type(value, struct tm_look);
};

extern struct tm_looks_map tm_looks SEC(".maps");

/*
 * Brings the decision of a task's process up to date, thresholds included, and gives the task a copy. closed: the epoch
 * that a pass reports of a task that has not begun to exit; 0: at sched_process_exit, for what no pass will see. A
 * global function, in the form of tm_decide.
 */
#ifdef TM_TASK_HASH
int tm_review_of(u64 task, u64 leader, u32 closed);
#define tm_review(st, leader_st, closed) tm_review_of((st)->task, (leader_st)->task, closed)
#else
int tm_review(struct tm_task *st, struct tm_task *leader_st, u32 closed);
#endif

static __always_inline void tm_rules_at_exit(struct task_struct *t, struct tm_task *st)
{
	struct tm_task *leader_st;

	if (!tm_rules_given())
		return;
	leader_st = tm_leader_get(t, st);
	if (leader_st)
		tm_review(st, leader_st, 0);
}

#endif
