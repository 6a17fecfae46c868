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
#include "split.bpf.h"

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

/* A bit for each threshold of the set that a look is above. A global function: see tm_match. */
u64 tm_crossed(u32 set, u32 looker);

/* All ones or 0. What it was seen with last is right if it was born, or seen, since there are thresholds. */
static __always_inline u64 tm_seen_is_right(const struct tm_task *st)
{
	return -(u64)((s32)(st->seen_epoch - tm_rules.watched_since) >= 0);
}

static __always_inline void tm_look_at_own(struct tm_look *look, struct tm_task *st)
{
	u64 right = tm_seen_is_right(st);

	for (int i = 0; i < TM_HOOKED_COUNTERS; i++) {
		u64 now = *(volatile u64 *)&st->hooked[i];

		look->grown[i] = now - st->seen[i];
		look->values[TM_VALUE_TOTAL + i] = now;
		look->values[TM_VALUE_RATE + i] = look->grown[i] & right;
	}
}

/* What the other threads, and those before them, have in it. */
static __always_inline void tm_look_at_process(struct tm_look *look, struct tm_task *st, struct tm_process *p, u32 epoch)
{
	u64 joined = -(u64)(st->seen_in_process != 0), of_epoch = -(u64)(p->grown_epochs[epoch & 1] == epoch);

	for (int i = 0; i < TM_HOOKED_COUNTERS; i++) {
		look->values[TM_VALUE_TOTAL + i] += p->live[i] + p->dead[i] - (st->seen[i] & joined);
		look->values[TM_VALUE_RATE + i] += p->grown[epoch & 1][i] & of_epoch;
	}
}

/* A rate is not judged over less than the time between two passes. */
static __always_inline void tm_look_at_rates(struct tm_look *look, u64 us)
{
	for (int i = 0; i < TM_HOOKED_COUNTERS; i++)
		look->values[TM_VALUE_RATE + i] = us ? look->values[TM_VALUE_RATE + i] * 1000000 / us : 0;
}

static __always_inline void tm_look_at_window(struct tm_look *look, struct tm_task *st, struct tm_io_entry *io, u32 epoch)
{
	u64 of_epoch = -(u64)(st->window_epochs[epoch & 1] == epoch), *maxima = &look->values[TM_VALUE_MAXIMUM];
	struct tm_max longest = {};

	for (int i = 0; i < TM_SCHED_MAXIMA; i++) {
		u64 value = st->windows[epoch & 1][i].value_ns & of_epoch;

		if (value > maxima[i])
			maxima[i] = value;
	}
	if (!io)
		return;
	barrier_var(io); /* or clang adds to the pointer before it is checked */
	tm_io_read(&io->windows[epoch & 1], epoch, &longest);
	if (longest.value_ns > maxima[TM_M_IO_REQUEST_NS])
		maxima[TM_M_IO_REQUEST_NS] = longest.value_ns;
}

static __always_inline struct tm_look *tm_look_begin(const u32 looker)
{
	struct tm_look *look = bpf_map_lookup_elem(&tm_looks, &looker);

	if (look)
		__builtin_memset(&look->values[TM_VALUE_MAXIMUM], 0, TM_M_MAX * sizeof(u64));
	return look;
}

/* What the task counted since it was last seen becomes part of what its process has. */
static __always_inline void tm_note_seen(struct tm_look *look, struct tm_task *st, struct tm_process *p, u32 closed)
{
	u64 right = tm_seen_is_right(st), joined = -(u64)(st->seen_in_process != 0);

	if (p) {
		u64 *grown = tm_process_grown(p, closed);

		for (int i = 0; i < TM_HOOKED_COUNTERS; i++) {
			__sync_fetch_and_add(&p->live[i], look->grown[i] + (st->seen[i] & ~joined));
			__sync_fetch_and_add(&grown[i], look->grown[i] & right);
		}
	}
	for (int i = 0; i < TM_HOOKED_COUNTERS; i++)
		st->seen[i] += look->grown[i];
	st->seen_in_process = p != NULL;
	st->seen_epoch = closed + 1;
}

static __always_inline void tm_cross(struct tm_task *leader_st, u32 looker)
{
	u32 crossed = tm_crossed(tm_rules_index(), looker);

	if (!(crossed & ~leader_st->crossed))
		return;
	leader_st->crossed |= crossed;
	tm_note_change(leader_st, TM_DECIDED_THRESHOLD);
	tm_decide(leader_st, TM_DECIDED_THRESHOLD);
	tm_touch(leader_st->tid);
}

/* By the iterator, of a task that has not begun to exit. closed: the epoch that the pass reports. */
static __always_inline void tm_watch(struct task_struct *t, struct tm_task *st, struct tm_task *leader_st, u32 closed)
{
	bool thresholds = tm_rules_in_force()->threshold_count != 0;
	struct tm_process *p = thresholds || tm_rules_filter() ? tm_process_make(st) : NULL;
	struct tm_look *look;

	if (!thresholds)
		return;
	look = tm_look_begin(TM_LOOKS_ITERATOR);
	if (!look)
		return;
	tm_split_running(t, st, closed);
	tm_look_at_own(look, st);
	if (p)
		tm_look_at_process(look, st, p, closed);
	tm_look_at_rates(look, tm_pass_us);
	tm_look_at_window(look, st, st->uses_block ? tm_io_find(t) : NULL, closed);
	tm_cross(leader_st, TM_LOOKS_ITERATOR);
	tm_note_seen(look, st, p, closed);
}

/* At sched_process_exit, for what no pass will see. */
static __always_inline void tm_watch_last(struct task_struct *t, struct tm_task *st, struct tm_task *leader_st)
{
	struct tm_process *p;
	struct tm_io_entry *io;
	struct tm_look *look;
	u32 epoch = tm_epoch;

	if (!tm_rules_in_force()->threshold_count)
		return;
	p = tm_process_find(st);
	look = tm_look_begin(TM_LOOKS_HOOK);
	if (!look)
		return;
	tm_look_at_own(look, st);
	if (p)
		tm_look_at_process(look, st, p, epoch);
	tm_look_at_rates(look, 0);
	io = st->uses_block ? tm_io_find(t) : NULL;
	tm_look_at_window(look, st, io, epoch - 1);
	tm_look_at_window(look, st, io, epoch);
	tm_cross(leader_st, TM_LOOKS_HOOK);
}

static __always_inline void tm_rules_at_exit(struct task_struct *t, struct tm_task *st)
{
	struct tm_task *leader_st;

	if (!tm_rules_given())
		return;
	leader_st = tm_leader_get(t, st);
	if (!leader_st)
		return;
	if (leader_st == st)
		tm_compare(st);
	tm_refresh(leader_st);
	tm_watch_last(t, st, leader_st);
	if (leader_st != st)
		st->decision = leader_st->decision;
}

#endif
