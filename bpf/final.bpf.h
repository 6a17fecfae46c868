/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The final record of a task, sent at its TASK_DEAD switch: only there is its CPU time complete. mm, files and signal
 * sums are by then gone or mixed with the task's own, so they come from what sched_process_exit kept.
 *
 * Shared by the two sched_switch programs: the one of the lifecycle group (nothing but this) and the scheduler hook,
 * which takes its place while attached, so that each switch runs one program.
 */
#ifndef TASKMON_FINAL_BPF_H
#define TASKMON_FINAL_BPF_H

#include "block.bpf.h"
#include "group.bpf.h"
#include "process.bpf.h"
#include "rules.bpf.h"
#include "split.bpf.h"

/*
 * A non-leader's exec swaps numbers with the old leader, whose last switch may come before or after. User space learns
 * of the swap by the exec record: until that is sent, the old leader goes by its old number.
 */
static __always_inline s32 tm_final_tid(struct task_struct *t, struct tm_task *st)
{
	struct task_struct *leader = t->group_leader;
	s32 tid = t->pid, old_tid = st->tid, tgid = t->tgid;
	struct tm_task *successor;

	barrier_var(old_tid);	/* or clang loads both tids by one instruction, which the verifier refuses */
	if (tid == tgid || old_tid != tgid || leader == t)
		return tid;
	successor = tm_task_get(leader);
	return successor && successor->tid == tgid ? tid : old_tid;
}

/* As wait(2) has it: the group's code for the last thread, if the group was told to exit. */
static __always_inline s32 tm_wait_status(struct task_struct *t, bool group_dead)
{
	struct signal_struct *sig = t->signal;

	if (group_dead && sig->flags & SIGNAL_GROUP_EXIT)
		return sig->group_exit_code;
	return t->exit_code;
}

static __always_inline void tm_fill_exit_capture(struct tm_task_record *r, const struct tm_exit_capture *seen)
{
	__builtin_memcpy(r->process, seen->process, sizeof(r->process));
	__builtin_memcpy(r->dead, seen->dead, sizeof(seen->dead));
	__builtin_memset(&r->dead[TM_C_HOOKED], 0, sizeof(r->dead) - sizeof(seen->dead));
	r->valid |= seen->valid;
	r->ppid = seen->ppid;
}

/* All that no pass has reported: the open window, and the one before it if the pass had not come to this task yet. */
static __always_inline void tm_fill_last_maxima(struct tm_task_record *r, struct task_struct *t, struct tm_task *st)
{
	u32 epoch = tm_epoch;
	bool closed_too = st->reported_epoch != epoch - 1;

	r->epoch = epoch;
	__builtin_memset(r->maxima, 0, sizeof(r->maxima));
	tm_take_window(r->maxima, st, epoch);
	if (closed_too)
		tm_take_window(r->maxima, st, epoch - 1);
	if (st->uses_block)
		tm_io_take_last(t, epoch, closed_too, &r->maxima[TM_M_IO_REQUEST_NS]);
}

static __always_inline void tm_fill_final(struct tm_task_record *r, struct task_struct *t, struct tm_task *st,
					  s32 tid, bool group_dead)
{
	tm_fill_task(r, t);
	tm_fill_hooked(r, t, st);
	r->id.tid = tid;
	if (r->id.tid == r->id.tgid)
		r->flags |= TM_TASK_LEADER;
	r->id.process_start_ns = st->process_start_ns;
	r->state = 'X';
	r->off_since_ns = 0;
	r->off_witness = 0;
	r->exit_code = tm_wait_status(t, group_dead);
	if (r->exit_code & CORE_DUMPED)
		r->flags |= TM_TASK_CORE_DUMPED;
	if (group_dead)
		r->flags |= TM_TASK_GROUP_DEAD;
	if (st->finished)
		r->flags |= TM_TASK_END_TOLD;
	if (st->at_exit.by_exec)
		r->flags |= TM_TASK_ENDED_BY_EXEC;
	if (st->made_at_exit)
		r->valid &= ~TM_VALID_STORAGE;
	tm_fill_exit_capture(r, &st->at_exit);
	tm_fill_last_maxima(r, t, st);
	if (tm_rules_filter())
		tm_fill_dead_sums(r->dead, tm_process_find(st));
}

static __always_inline void tm_leave_out_life(struct task_struct *t, struct tm_task *st)
{
	tm_add_left_out(TM_LEFT_OUT_LIVES, 1);
	tm_add_left_out(TM_LEFT_OUT_DEAD_NS, t->se.sum_exec_runtime - st->accounted_ns);
}

static __always_inline void tm_send_final(struct task_struct *t, struct tm_task *st, bool group_dead)
{
	struct tm_task_record *r;
	s32 tid;

	tid = tm_final_tid(t, st);	/* close to the moment that fixes the record's place among the others */
	r = tm_ring_reserve(sizeof(*r), TM_RECORD_FINAL, TM_DROP_RING_FINAL);
	if (!r)
		return;
	tm_fill_final(r, t, st, tid, group_dead);
	tm_ring_submit(r);
}

static __always_inline void tm_tell_end(struct task_struct *t, struct tm_task *st, bool group_dead)
{
	if (group_dead)
		st->group_finished = 1;
	if (tm_is_sent(t, st))
		tm_send_final(t, st, group_dead);
	else if (!st->finished)
		tm_leave_out_life(t, st);
	st->finished = 1;
	st->accounted_ns = t->se.sum_exec_runtime;
	if (st->uses_block)
		tm_io_forget(t);
}

/* sched_switch with a dead prev. */
static __always_inline void tm_task_died(struct task_struct *t, struct tm_task *st)
{
	if (st->finished)
		return;
	tm_split_interval(st, tm_run_delay_ns(t));
	tm_tell_end(t, st, tm_group_leave(t, st));
	if (tm_rules_given())
		tm_process_fold(t, st);
}

#endif
