// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Looking at a task, and at what its process has in sum, and comparing that with the thresholds. */
#include "thresholds.bpf.h"

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
static __always_inline void tm_look_at_process(struct tm_look *look, struct tm_task *st, struct tm_process *p,
					       u32 epoch)
{
	u64 joined = -(u64)(st->seen_in_process != 0), of_epoch = -(u64)(p->grown_epochs[epoch & 1] == epoch);

	for (int i = 0; i < TM_HOOKED_COUNTERS; i++) {
		look->values[TM_VALUE_TOTAL + i] += p->live[i] + p->dead[i] - (st->seen[i] & joined);
		look->values[TM_VALUE_RATE + i] += p->grown[epoch & 1][i] & of_epoch;
	}
}

/* A rate is not judged over less than the time between two passes. Limits are whole numbers that it must exceed: what is
 * more than one by a fraction counts as the next. */
static __always_inline void tm_look_at_rates(struct tm_look *look, u64 us)
{
	for (int i = 0; i < TM_HOOKED_COUNTERS; i++)
		look->values[TM_VALUE_RATE + i] = us ? (look->values[TM_VALUE_RATE + i] * 1000000 + us - 1) / us : 0;
}

static __always_inline void tm_look_at_window(struct tm_look *look, struct tm_task *st, struct tm_io_entry *io,
					      u32 epoch)
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

static __always_inline u32 tm_above(const struct tm_look *look)
{
	const struct tm_rule_set *set = tm_rules_in_force();
	u32 above = 0;

	for (u32 i = 0; i < TM_MAX_THRESHOLDS && i < set->threshold_count; i++) {
		u32 value = set->thresholds[i].value;

		if (value < TM_VALUES && look->values[value] > set->thresholds[i].limit)
			above |= 1u << i;
	}
	return above;
}

static __always_inline void tm_cross(struct tm_task *leader_st, const struct tm_look *look)
{
	u32 crossed = tm_above(look);

	if (!(crossed & ~leader_st->crossed))
		return;
	leader_st->crossed |= crossed;
	tm_note_change(leader_st, TM_DECIDED_THRESHOLD);
	tm_decide(leader_st, TM_DECIDED_THRESHOLD);
	tm_touch(leader_st->tid);
}

/* By the iterator, of a task that has not begun to exit. closed: the epoch that the pass reports. */
static __always_inline void tm_watch(struct tm_task *st, struct tm_task *leader_st, u32 closed)
{
	bool thresholds = tm_rules_in_force()->threshold_count != 0;
	struct tm_process *p = thresholds || tm_rules_filter() ? tm_process_make(st) : NULL;
	struct tm_look *look;

	if (!thresholds)
		return;
	look = tm_look_begin(TM_LOOKS_ITERATOR);
	if (!look)
		return;
	tm_look_at_own(look, st);
	if (p)
		tm_look_at_process(look, st, p, closed);
	tm_look_at_rates(look, tm_pass_us);
	tm_look_at_window(look, st, st->uses_block ? tm_io_find_at(st->task) : NULL, closed);
	tm_cross(leader_st, look);
	tm_note_seen(look, st, p, closed);
}

/* At sched_process_exit, for what no pass will see. */
static __always_inline void tm_watch_last(struct tm_task *st, struct tm_task *leader_st)
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
	io = st->uses_block ? tm_io_find_at(st->task) : NULL;
	if (st->seen_epoch != epoch)
		tm_look_at_window(look, st, io, epoch - 1);
	tm_look_at_window(look, st, io, epoch);
	tm_cross(leader_st, look);
}

/* closed: the epoch that a pass reports; 0: the task exits. */
static __always_inline int tm_review_task(struct tm_task *st, struct tm_task *leader_st, u32 closed)
{
	bool leads;

	if (!st || !leader_st)
		return 0;
	leads = st->task == leader_st->task;
	tm_refresh(leader_st, leads);
	tm_join_use(leader_st, st->flags);
	if (closed)
		tm_watch(st, leader_st, closed);
	else
		tm_watch_last(st, leader_st);
	if (!leads)
		st->decision = leader_st->decision;
	return 0;
}

#ifdef TM_TASK_HASH
int tm_review_of(u64 task, u64 leader, u32 closed)
{
	struct tm_task *leader_st = bpf_map_lookup_elem(&tm_tasks, &leader);

	return tm_review_task(bpf_map_lookup_elem(&tm_tasks, &task), leader_st, closed);
}
#else
int tm_review(struct tm_task *st, struct tm_task *leader_st, u32 closed)
{
	return tm_review_task(st, leader_st, closed);
}
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
