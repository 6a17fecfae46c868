// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Time off the CPU: how long, why, and who had the CPU instead. The hook that runs most often. */
#include "final.bpf.h"

static __always_inline void tm_switch_out(struct task_struct *t, struct tm_task *st, bool preempt, u32 next_tid, u64 now)
{
	bool asleep = !preempt && tm_task_state(t) != TASK_RUNNING;

	tm_split_interval(st, tm_run_delay_ns(t));
	st->off_witness = asleep ? 0 : next_tid;
	st->off_iowait = asleep && BPF_CORE_READ_BITFIELD(t, in_iowait);
	st->off_since_ns = now;
}

static __always_inline void tm_note_offcpu(struct tm_task *st, u64 gap_ns, u64 now)
{
	const struct tm_max seen = {
		.value_ns = gap_ns,
		.at_ns = now,
		.cpu = st->in_cpu,
		.witness = st->off_witness,
	};

	st->hooked[TM_C_OFFCPU_NS - TM_C_HOOKED] += gap_ns;
	tm_note_max(st, TM_M_OFFCPU_NS, &seen);
}

/* The first switch-in of a life has no off-CPU interval, but a wait in the run queue. */
static __always_inline void tm_switch_in(struct tm_task *st, u32 prev_tid, u64 now)
{
	u64 since_ns = tm_sched_since_ns, off_ns = st->off_since_ns, born_ns = st->born_ns;

	st->off_since_ns = 0;
	st->born_ns = 0;
	st->in_ns = 0;
	if (off_ns < since_ns && born_ns < since_ns)
		return;		/* left the CPU before the hook was attached */
	st->in_cpu = bpf_get_smp_processor_id();
	st->in_witness = prev_tid;
	st->in_iowait = st->off_iowait;
	st->gap_ns = off_ns ? now - off_ns : 0;
	*(volatile u64 *)&st->in_ns = now;	/* last: a pass on another CPU takes the interval by it */
	if (off_ns)
		tm_note_offcpu(st, st->gap_ns, now);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(tm_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_boot_ns();
	u32 prev_tid = prev->pid, next_tid = next->pid;
	struct tm_task *st;

	if (prev_tid) {
		st = tm_task_get(prev);
		if (st && tm_task_state(prev) & TASK_DEAD)
			tm_task_died(prev, st);
		else if (st)
			tm_switch_out(prev, st, preempt, next_tid, now);
	}
	if (next_tid) {
		st = tm_task_get(next);
		if (st)
			tm_switch_in(st, prev_tid, now);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
