/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The second half of an off-CPU interval's bookkeeping. The kernel brings sched_info.run_delay up to date only after the
 * tracepoint of the switch-in, so how much of the interval was spent in the run queue is known at the next switch-out:
 *
 *     switch-out ........ woken ........ switch-in ........ switch-out
 *        |<---- blocked ---->|<- run queue ->|                  ^ run_delay read: the split is made here
 *        |<------------- off CPU ----------->| counted here
 */
#ifndef TASKMON_SPLIT_BPF_H
#define TASKMON_SPLIT_BPF_H

#include "storage.bpf.h"

static __always_inline void tm_note_runq(struct tm_task *st, u64 runq_ns)
{
	const struct tm_max seen = {
		.value_ns = runq_ns,
		.at_ns = st->in_ns,
		.cpu = st->in_cpu,
		.witness = st->in_witness,
	};

	tm_note_max(st, TM_M_RUNQ_NS, &seen);
}

static __always_inline void tm_note_iowait(struct tm_task *st, u64 blocked_ns)
{
	const struct tm_max seen = {
		.value_ns = blocked_ns,
		.at_ns = st->in_ns - (st->gap_ns - blocked_ns),
		.cpu = st->in_cpu,
	};

	st->hooked[TM_C_IOWAIT_NS - TM_C_HOOKED] += blocked_ns;
	tm_note_max(st, TM_M_IOWAIT_NS, &seen);
}

static __always_inline void tm_split_interval(struct tm_task *st, u64 run_delay_ns)
{
	u64 runq_ns = run_delay_ns - st->run_delay_ns;

	/* A gap noted before the hook was attached anew has an unknown run_delay at its beginning. */
	if (st->in_ns && st->in_ns - st->gap_ns >= tm_sched_since_ns) {
		/* The kernel's clock for run_delay is not ours: keep the parts within the whole. */
		if (st->gap_ns && runq_ns > st->gap_ns)
			runq_ns = st->gap_ns;
		if (runq_ns)
			tm_note_runq(st, runq_ns);
		if (st->in_iowait)
			tm_note_iowait(st, st->gap_ns - runq_ns);
	}
	st->in_ns = 0;
	st->run_delay_ns = run_delay_ns;
}

#endif
