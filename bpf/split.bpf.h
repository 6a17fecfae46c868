/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The second half of an off-CPU interval's bookkeeping. The kernel brings sched_info.run_delay up to date only after the
 * tracepoint of the switch-in, so how much of the interval was spent in the run queue is known only later: at the next
 * switch-out, or at the next pass of the iterator if the task runs that long. Whoever comes first takes the interval.
 *
 *     switch-out ........ woken ........ switch-in ......(pass)...... switch-out
 *        |<---- blocked ---->|<- run queue ->|          ^               ^ run_delay read: the split is made here
 *        |<------------- off CPU ----------->| counted here
 */
#ifndef TASKMON_SPLIT_BPF_H
#define TASKMON_SPLIT_BPF_H

#include "storage.bpf.h"

/* A closed off-CPU interval whose parts are not told yet: a copy of what struct tm_task has of it. */
struct tm_interval {
	u64 in_ns;
	u64 gap_ns;
	u64 run_delay_ns;	/* at its beginning */
	u32 in_witness;
	u32 in_cpu;
	u32 in_iowait;
};

/* Into the window of which epoch: the open one for hooks, the closed one for the pass that reports it. */
static __always_inline void tm_note_runq(struct tm_task *st, const struct tm_interval *gap, u64 runq_ns, u32 epoch)
{
	const struct tm_max seen = {
		.value_ns = runq_ns,
		.at_ns = gap->in_ns,
		.cpu = gap->in_cpu,
		.witness = gap->in_witness,
	};

	tm_note_max_in(st, epoch, TM_M_RUNQ_NS, &seen);
}

static __always_inline void tm_note_iowait(struct tm_task *st, const struct tm_interval *gap, u64 blocked_ns, u32 epoch)
{
	const struct tm_max seen = {
		.value_ns = blocked_ns,
		.at_ns = gap->in_ns - (gap->gap_ns - blocked_ns),
		.cpu = gap->in_cpu,
	};

	__sync_fetch_and_add(&st->hooked[TM_C_IOWAIT_NS - TM_C_HOOKED], blocked_ns);
	tm_note_max_in(st, epoch, TM_M_IOWAIT_NS, &seen);
}

/* The interval that ended at in_ns, for the caller alone. False: the other side was faster. */
static __always_inline bool tm_take_interval(struct tm_task *st, u64 in_ns, struct tm_interval *gap)
{
	gap->in_ns = in_ns;
	gap->gap_ns = st->gap_ns;
	gap->run_delay_ns = st->run_delay_ns;
	gap->in_witness = st->in_witness;
	gap->in_cpu = st->in_cpu;
	gap->in_iowait = st->in_iowait;
	return tm_replace(&st->in_ns, in_ns, 0);
}

static __always_inline void tm_tell_interval(struct tm_task *st, const struct tm_interval *gap, u64 run_delay_ns,
					     u32 epoch)
{
	u64 runq_ns = run_delay_ns - gap->run_delay_ns;

	/* A gap noted before the hook was attached anew has an unknown run_delay at its beginning. */
	if (gap->in_ns - gap->gap_ns < tm_sched_since_ns)
		return;
	/* The kernel's clock for run_delay is not ours: keep the parts within the whole. */
	if (gap->gap_ns && runq_ns > gap->gap_ns)
		runq_ns = gap->gap_ns;
	if (runq_ns)
		tm_note_runq(st, gap, runq_ns, epoch);
	if (gap->in_iowait)
		tm_note_iowait(st, gap, gap->gap_ns - runq_ns, epoch);
}

/* At a switch-out. */
static __always_inline void tm_split_interval(struct tm_task *st, u64 run_delay_ns)
{
	struct tm_interval gap;
	u64 in_ns = st->in_ns;

	if (in_ns && tm_take_interval(st, in_ns, &gap))
		tm_tell_interval(st, &gap, run_delay_ns, tm_epoch);
	st->run_delay_ns = run_delay_ns;
}

/*
 * In a pass: a task that has run on since its last wait would otherwise tell of it only when it stops running. on_cpu is
 * set after run_delay is brought up to date (prepare_task_switch).
 */
static __always_inline void tm_split_running(struct task_struct *t, struct tm_task *st, u32 closed)
{
	u64 in_ns = *(volatile u64 *)&st->in_ns, run_delay_ns;
	struct tm_interval gap;

	barrier();
	if (!in_ns || !t->on_cpu)
		return;
	run_delay_ns = tm_run_delay_ns(t);
	if (tm_take_interval(st, in_ns, &gap))
		tm_tell_interval(st, &gap, run_delay_ns, closed);
}

#endif
