/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a process with threads has in sum: the hook-kept counters of its dead threads, which the kernel does not keep,
 * so that a process that nobody wanted comes up complete once it is wanted; and, while there are thresholds, those of
 * its living ones. A process without threads needs none of it: its only task's struct has everything.
 *
 * Keyed by signal_struct like tm_groups, and for the same reason. Made in process context, added to anywhere by
 * atomics, removed when the leader is freed. Kept only once rules were given.
 */
#ifndef TASKMON_PROCESS_BPF_H
#define TASKMON_PROCESS_BPF_H

#include "storage.bpf.h"

enum {
	TM_HOOKED_COUNTERS = TM_C_MAX - TM_C_HOOKED,
	TM_SUM_RUN_DELAY = TM_HOOKED_COUNTERS, /* kept by the kernel per task, but not for dead threads */
	TM_SUM_MIGRATIONS,
	TM_SUMS,
};

struct tm_process {
	u64 start_ns; /* tells it from a later process at the same address */
	u64 dead[TM_SUMS];
	u64 live[TM_HOOKED_COUNTERS];	  /* of living threads, as of the latest pass that saw each */
	u32 grown_epochs[2];		  /* of grown[] */
	u64 grown[2][TM_HOOKED_COUNTERS]; /* what an epoch added, dead threads included */
};

struct tm_processes_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TM_MAX_GROUPS);
	__type(key, u64);
	__type(value, struct tm_process);
};

extern struct tm_processes_map tm_processes SEC(".maps");

/* NULL: it has, or had, no threads, or none was seen by us. */
static __always_inline struct tm_process *tm_process_find(const struct tm_task *st)
{
	u64 key = st->signal;
	struct tm_process *p;

	if (!st->counted)
		return NULL;
	p = bpf_map_lookup_elem(&tm_processes, &key);
	return p && p->start_ns == st->process_start_ns ? p : NULL;
}

static __always_inline struct tm_process *tm_process_make(const struct tm_task *st)
{
	static const struct tm_process fresh;
	struct tm_process *p = tm_process_find(st);
	u64 key = st->signal;

	if (p || !st->counted)
		return p;
	bpf_map_update_elem(&tm_processes, &key, &fresh, BPF_ANY);
	p = bpf_map_lookup_elem(&tm_processes, &key);
	if (p)
		p->start_ns = st->process_start_ns;
	else
		tm_count_drop(TM_DROP_PROCESS);
	return p;
}

static __always_inline void tm_process_forget(const struct tm_task *st)
{
	u64 key = st->signal;

	if (tm_process_find(st))
		bpf_map_delete_elem(&tm_processes, &key);
}

/* Two threads that die at once in a fresh epoch may lose one's share of the rate, never of the sums. */
static __always_inline u64 *tm_process_grown(struct tm_process *p, u32 epoch)
{
	u64 *grown = p->grown[epoch & 1];

	if (p->grown_epochs[epoch & 1] != epoch) {
		__builtin_memset(grown, 0, sizeof(p->grown[0]));
		p->grown_epochs[epoch & 1] = epoch;
	}
	return grown;
}

/* At a thread's TASK_DEAD switch, after its own final record. */
static __always_inline void tm_process_fold(struct task_struct *t, struct tm_task *st)
{
	struct tm_process *p = tm_process_find(st);
	u64 joined = -(u64)(st->seen_in_process != 0), *grown;

	if (!p)
		return;
	grown = tm_process_grown(p, tm_epoch);
	for (int i = 0; i < TM_HOOKED_COUNTERS; i++) {
		__sync_fetch_and_add(&p->dead[i], st->hooked[i]);
		__sync_fetch_and_add(&p->live[i], -(st->seen[i] & joined));
		__sync_fetch_and_add(&grown[i], st->hooked[i] - st->seen[i]);
	}
	__sync_fetch_and_add(&p->dead[TM_SUM_RUN_DELAY], tm_run_delay_ns(t));
	__sync_fetch_and_add(&p->dead[TM_SUM_MIGRATIONS], t->se.nr_migrations);
}

static __always_inline void tm_fill_dead_sums(u64 *dead, const struct tm_process *p)
{
	if (!p)
		return;
	__builtin_memcpy(&dead[TM_C_HOOKED], p->dead, TM_HOOKED_COUNTERS * sizeof(u64));
	dead[TM_C_RUN_DELAY_NS] = p->dead[TM_SUM_RUN_DELAY];
	dead[TM_C_MIGRATIONS] = p->dead[TM_SUM_MIGRATIONS];
}

#endif
