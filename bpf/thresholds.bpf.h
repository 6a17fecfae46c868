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

/* One task at the moment that it is looked at. */
struct tm_look {
	struct tm_task *st;
	struct tm_process *p; /* NULL: it has no threads */
	struct tm_io_entry *io;
	u32 epoch;     /* the one to judge */
	bool open_too; /* and the one after it */
	bool rates;
};

/* What it was seen with last is right if it was born, or seen, since there are thresholds. */
static __always_inline bool tm_seen_is_right(const struct tm_task *st)
{
	return (s32)(st->seen_epoch - tm_rules.watched_since) >= 0;
}

static __always_inline u64 tm_threshold_total(const struct tm_look *look, u32 which)
{
	const struct tm_task *st = look->st;

	if (!look->p)
		return st->hooked[which];
	return look->p->live[which] + look->p->dead[which] + st->hooked[which] -
	       (st->seen_in_process ? st->seen[which] : 0);
}

static __always_inline u64 tm_threshold_rate(const struct tm_look *look, u32 which)
{
	u64 grown = 0;

	if (!look->rates || !tm_pass_us)
		return 0;
	if (look->p && look->p->grown_epochs[look->epoch & 1] == look->epoch)
		grown = look->p->grown[look->epoch & 1][which];
	if (tm_seen_is_right(look->st))
		grown += look->st->hooked[which] - look->st->seen[which];
	return grown * 1000000 / tm_pass_us;
}

static __always_inline u64 tm_io_maximum_of(struct tm_io_entry *io, u32 epoch)
{
	struct tm_max longest = {};

	if (!io)
		return 0;
	barrier_var(io); /* or clang adds to the pointer before it is checked */
	tm_io_read(&io->windows[epoch & 1], epoch, &longest);
	return longest.value_ns;
}

static __always_inline u64 tm_maximum_of(const struct tm_look *look, u32 which, u32 epoch)
{
	const struct tm_task *st = look->st;

	if (which >= TM_SCHED_MAXIMA)
		return tm_io_maximum_of(look->io, epoch);
	return st->window_epochs[epoch & 1] == epoch ? st->windows[epoch & 1][which].value_ns : 0;
}

static __always_inline u64 tm_threshold_maximum(const struct tm_look *look, u32 which)
{
	u64 value = tm_maximum_of(look, which, look->epoch), open;

	if (!look->open_too)
		return value;
	open = tm_maximum_of(look, which, look->epoch + 1);
	return open > value ? open : value;
}

static __always_inline u64 tm_threshold_value(const struct tm_look *look, const struct tm_threshold *threshold)
{
	u32 which = threshold->index;

	if (threshold->kind == TM_THRESHOLD_MAXIMUM)
		return tm_threshold_maximum(look, which);
	which -= TM_C_HOOKED;
	if (which >= TM_HOOKED_COUNTERS)
		return 0; /* never: for the verifier */
	return threshold->kind == TM_THRESHOLD_TOTAL ? tm_threshold_total(look, which) : tm_threshold_rate(look, which);
}

static __always_inline u32 tm_crossed_by(const struct tm_look *look, const struct tm_rule_set *set)
{
	u32 crossed = 0;

	for (u32 i = 0; i < TM_MAX_THRESHOLDS && i < set->threshold_count; i++)
		if (tm_threshold_value(look, &set->thresholds[i]) > set->thresholds[i].limit)
			crossed |= 1u << i;
	return crossed;
}

/* What the task counted since it was last seen becomes part of what its process has. */
static __always_inline void tm_note_seen(struct tm_look *look, u32 open_epoch)
{
	struct tm_task *st = look->st;
	bool right = tm_seen_is_right(st), joined = look->p && st->seen_in_process;
	u64 *grown = look->p ? tm_process_grown(look->p, look->epoch) : NULL;

	for (int i = 0; i < TM_HOOKED_COUNTERS; i++) {
		u64 now = *(volatile u64 *)&st->hooked[i], before = st->seen[i];

		if (look->p)
			__sync_fetch_and_add(&look->p->live[i], joined ? now - before : now);
		if (grown && right)
			__sync_fetch_and_add(&grown[i], now - before);
		st->seen[i] = now;
	}
	st->seen_in_process = look->p != NULL;
	st->seen_epoch = open_epoch;
}

static __always_inline void tm_cross(struct task_struct *t, const struct tm_look *look, struct tm_task *leader_st)
{
	struct task_struct *leader = t->group_leader;
	u32 crossed = tm_crossed_by(look, tm_rules_in_force());

	if (!(crossed & ~leader_st->crossed))
		return;
	leader_st->crossed |= crossed;
	tm_note_change(leader_st, TM_DECIDED_THRESHOLD);
	tm_decide(leader, leader_st, TM_DECIDED_THRESHOLD);
	if (leader != t)
		tm_touch(leader->pid);
}

/* By the iterator, of a task that has not begun to exit. closed: the epoch that the pass reports. */
static __always_inline void tm_watch(struct task_struct *t, struct tm_task *st, struct tm_task *leader_st, u32 closed)
{
	struct tm_look look = {.st = st, .epoch = closed, .rates = true};

	look.p = tm_process_make(t, st);
	if (!tm_rules_in_force()->threshold_count)
		return;
	look.io = st->uses_block ? tm_io_find(t) : NULL;
	tm_cross(t, &look, leader_st);
	tm_note_seen(&look, closed + 1);
}

/* At sched_process_exit, for what no pass will see. A rate is not judged over less than the time between passes. */
static __always_inline void tm_watch_last(struct task_struct *t, struct tm_task *st, struct tm_task *leader_st)
{
	struct tm_look look = {.st = st, .epoch = tm_epoch - 1, .open_too = true};

	if (!tm_rules_in_force()->threshold_count)
		return;
	look.p = tm_process_find(t, st);
	look.io = st->uses_block ? tm_io_find(t) : NULL;
	tm_cross(t, &look, leader_st);
}

static __always_inline void tm_rules_at_exit(struct task_struct *t, struct tm_task *st)
{
	struct task_struct *leader = t->group_leader;
	struct tm_task *leader_st;

	if (!tm_rules_given())
		return;
	leader_st = tm_leader_get(t, st);
	if (!leader_st)
		return;
	tm_refresh(leader, leader_st);
	tm_watch_last(t, st, leader_st);
	if (leader_st != st)
		st->decision = leader_st->decision;
}

#endif
