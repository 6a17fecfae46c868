/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which thread is the last of its process to finish. The kernel's own signal->live falls when a thread *enters*
 * do_exit, so the last one to bring it to 0 need not be the last one to leave the CPU: we count TASK_DEAD switches
 * ourselves.
 *
 * Only processes with threads have an entry in tm_groups; a process without one is finished with its leader.
 */
#ifndef TASKMON_GROUP_BPF_H
#define TASKMON_GROUP_BPF_H

#include "storage.bpf.h"

static __always_inline u64 *tm_group_find(u64 key)
{
	u64 zero = 0, *threads = bpf_map_lookup_elem(&tm_groups, &key);

	if (threads)
		return threads;
	bpf_map_update_elem(&tm_groups, &key, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tm_groups, &key);
}

static __always_inline bool tm_group_has_threads(struct task_struct *t)
{
	u64 key = (u64)t->signal;

	return bpf_map_lookup_elem(&tm_groups, &key) != NULL;
}

static __always_inline void tm_group_add(struct task_struct *t)
{
	u64 *threads = tm_group_find((u64)t->signal);

	if (threads)
		__sync_fetch_and_add(threads, 1);
	else
		tm_count_drop(TM_DROP_STORAGE);
}

/* Counts a thread in, once. The iterator and the fork hook may both try. */
static __always_inline void tm_group_enter(struct task_struct *t, struct tm_task *st)
{
	if (tm_claim(&st->counted))
		tm_group_add(t);
}

/*
 * At the fork of a thread. Whose storage was refused is counted in all the same, and learns of it in tm_group_exit;
 * whom we have not seen yet, the next pass counts in.
 */
static __always_inline void tm_group_fork(struct task_struct *parent, struct tm_task *parent_st,
					  struct task_struct *child, struct tm_task *st)
{
	if (parent_st)
		tm_group_enter(parent, parent_st);
	else if (!tm_is_preexisting(parent) && !tm_group_has_threads(parent))
		tm_group_add(parent);
	if (st)
		tm_group_enter(child, st);
	else
		tm_group_add(child);
}

/* Before a thread leaves: one whose storage was made late finds out whether it is counted in. */
static __always_inline void tm_group_exit(struct task_struct *t, struct tm_task *st)
{
	if (!st->made_late || st->counted || !tm_group_has_threads(t))
		return;
	if (tm_is_preexisting(t))
		tm_group_enter(t, st);
	else
		tm_claim(&st->counted);
}

/* A thread that was counted in and will not say that it leaves. */
static __always_inline void tm_group_lose(struct task_struct *t)
{
	u64 key = (u64)t->signal, *threads = bpf_map_lookup_elem(&tm_groups, &key);

	if (threads)
		tm_decrement(threads);
}

/*
 * Counts a thread out at its TASK_DEAD switch. True for exactly one thread of a process: the last.
 * signal->live above 0 means that a thread which was never counted still runs (seen by no fork and no pass yet); the
 * entry then stays for tm_group_unfinished.
 */
static __always_inline bool tm_group_leave(struct task_struct *t, struct tm_task *st)
{
	u64 key = (u64)t->signal, left, *threads = bpf_map_lookup_elem(&tm_groups, &key);

	if (!threads)
		return t->pid == t->tgid && !st->counted && t->signal->live.counter <= 0;
	left = st->counted ? tm_decrement(threads) : *threads;
	if (left || t->signal->live.counter > 0)
		return false;
	return bpf_map_delete_elem(&tm_groups, &key) == 0;
}

/*
 * At sched_process_free of a leader: was the end of the process never told? The leader can be reaped and freed while a
 * thread that was released before it has its last switch still to come: as long as one is counted, it will tell.
 */
static __always_inline bool tm_group_unfinished(struct task_struct *leader, struct tm_task *st)
{
	u64 key = (u64)leader->signal, *threads = bpf_map_lookup_elem(&tm_groups, &key);

	if (threads && *threads)
		return false;
	if (threads && bpf_map_delete_elem(&tm_groups, &key) == 0)
		return true;
	return !st->counted && !st->group_finished;
}

#endif
