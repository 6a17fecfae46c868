// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Birth, names and death of tasks. Always attached; a record for each goes through the ring. */
#include "final.bpf.h"
#include "thresholds.bpf.h"

static __always_inline void tm_count_fork(struct tm_task *parent, bool thread)
{
	parent->hooked[(thread ? TM_C_THREADS : TM_C_FORKS) - TM_C_HOOKED]++;
}

static __always_inline void tm_send_fork(struct task_struct *parent, struct task_struct *child, struct tm_task *st)
{
	struct tm_fork_record *r = tm_ring_reserve(sizeof(*r), TM_RECORD_FORK, TM_DROP_RING_FORK);
	const struct cred *cred = child->real_cred;

	if (!r)
		return;
	tm_fill_identity(&r->id, child);
	r->parent_tid = parent->pid;
	r->parent_tgid = child->real_parent->tgid;
	r->uid = cred->euid.val;
	r->gid = cred->egid.val;
	r->flags = tm_kernel_flags(child);
	r->pad = 0;
	r->cgroup_id = tm_cgroup_id(child);
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), child->comm);
	tm_fill_decision(&r->decision, st);
	tm_ring_submit(r);
	if (st)
		tm_note_told(st);
}

static __always_inline void tm_born(struct task_struct *parent, struct task_struct *child)
{
	struct tm_task *parent_st = tm_task_get(parent), *st = tm_task_create(child, TM_AT_FORK);
	bool thread = child->tgid != child->pid;

	if (parent_st)
		tm_count_fork(parent_st, thread);
	if (st) {
		st->flags &= ~TM_TASK_PREEXISTING;	/* we may be attached only since it began */
		st->born_ns = bpf_ktime_get_boot_ns();
	}
	if (thread)
		tm_group_fork(parent, parent_st, child, st);
	if (st && thread && tm_rules_given())
		tm_process_make(st);
	if (st)
		tm_rules_at_fork(parent, parent_st, child, st);
	if (!tm_leave_out_record(child, st))
		tm_send_fork(parent, child, st);
}

/*
 * Not sched_process_fork: threads that the kernel makes for a process by itself (since 5.12 io_uring's, since 6.4 those
 * of vhost) do not pass there.
 */
SEC("tp_btf/task_newtask")
int BPF_PROG(tm_newtask, struct task_struct *child)
{
#ifndef TM_TASK_HASH
	if (child->pid)	/* the idle task of a CPU that comes up has number 0 */
		tm_born(bpf_get_current_task_btf(), child);
#endif
	return 0;
}

/* Before 5.11 the parent, which is current, can be had as a pointer only here … */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(tm_fork, struct task_struct *parent, struct task_struct *child)
{
	tm_born(parent, child);
	return 0;
}

/* … where io_uring's threads do not pass, which 5.10 has got since. They alone are born with this flag. */
SEC("tp_btf/task_newtask")
int BPF_PROG(tm_io_thread, struct task_struct *child)
{
	if (child->flags & PF_IO_WORKER)
		tm_born(child->group_leader, child);
	return 0;
}

static __always_inline u32 tm_copy_args(struct tm_exec_record *r, struct mm_struct *mm)
{
	u64 start = mm->arg_start, len = mm->arg_end - start;

	r->args_total = len;
	barrier_var(len);	/* or clang bounds one copy and uses another */
	if (len > TM_ARGS_LEN)
		len = TM_ARGS_LEN;
	if (bpf_probe_read_user(r->args, len, (void *)start))
		return 0;
	return len;
}

static __always_inline void tm_fill_exec(struct tm_exec_record *r, struct task_struct *t, s32 old_tid)
{
	const struct cred *cred = t->real_cred;

	tm_fill_identity(&r->id, t);
	r->old_tid = old_tid;
	r->ppid = t->real_parent->tgid;
	r->uid = cred->euid.val;
	r->gid = cred->egid.val;
	r->cgroup_id = tm_cgroup_id(t);
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), t->comm);
}

static __always_inline void tm_send_exec(struct task_struct *t, struct tm_task *st, s32 old_tid, const char *filename)
{
	u32 zero = 0, len;
	struct tm_exec_record *r = bpf_map_lookup_elem(&tm_exec_scratch, &zero);
	struct mm_struct *mm = t->mm;

	if (!r || !mm)
		return;
	tm_fill_exec(r, t, old_tid);
	tm_fill_decision(&r->decision, st);
	bpf_probe_read_kernel_str(r->filename, sizeof(r->filename), filename);
	len = tm_copy_args(r, mm);
	if (len > TM_ARGS_LEN)
		return;	/* never: for the verifier */
	r->args_len = len;
	len += __builtin_offsetof(struct tm_exec_record, args);
	tm_fill_header(&r->header, len, TM_RECORD_EXEC);
	if (!tm_ring_output(r, len, TM_DROP_RING_EXEC) && st)
		tm_note_told(st);
}

/*
 * A thread other than the leader has called exec and goes on under the leader's number. Its own ends here, with all
 * that was counted under it; sum_exec_runtime may lack what ran since the last tick, which the new number then gets.
 */
static __always_inline void tm_send_succession(struct task_struct *t, struct tm_task *st, s32 old_tid)
{
	struct tm_task_record *r = tm_ring_reserve(sizeof(*r), TM_RECORD_FINAL, TM_DROP_RING_FINAL);
	u32 epoch = tm_epoch;

	if (r) {
		__builtin_memset((char *)r + sizeof(r->header), 0, sizeof(*r) - sizeof(r->header));
		tm_fill_task(r, t);
		tm_fill_hooked(r, t, st);
		tm_take_window(r->maxima, st, epoch);
		r->epoch = epoch;
		r->id.tid = old_tid;
		r->id.start_ns = st->start_ns;
		r->flags = (r->flags & ~TM_TASK_LEADER) | TM_TASK_BECAME_LEADER;
		r->state = 'X';
		st->accounted_ns = r->counters[TM_C_RUNTIME_NS];
		tm_ring_submit(r);
	}
}

static __always_inline void tm_succeed(struct task_struct *t, struct tm_task *st, s32 old_tid)
{
	if (tm_is_wanted(st))
		tm_send_succession(t, st, old_tid);
	st->flags |= TM_TASK_SUCCESSOR;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tm_exec, struct task_struct *t, s32 old_tid, struct linux_binprm *bprm)
{
	struct tm_task *st = tm_task_get(t);

	if (st && old_tid != t->pid)
		tm_succeed(t, st, old_tid);
	if (!st)
		st = tm_task_adopt(t);
	if (st) {
		st->hooked[TM_C_EXECS - TM_C_HOOKED]++;
		tm_rules_at_exec(t, st, old_tid != t->pid);
	}
	if (!tm_leave_out_record(t, st))
		tm_send_exec(t, st, old_tid, bprm->filename);
	if (st) {
		/* A thread other than the leader has taken the leader's number and start time: see tm_final_tid. */
		st->process_start_ns = st->start_ns = tm_start_ns(t);
		st->tid = t->pid;
	}
	return 0;
}

static __always_inline bool tm_same_comm(const char *a, const char *b)
{
	const u64 *x = (const u64 *)a, *y = (const u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* Also fired by exec, before its own record, and by others than the task itself (a sibling thread, kthread_create). */
SEC("tp_btf/task_rename")
int BPF_PROG(tm_rename, struct task_struct *t, const char *comm)
{
	struct tm_task *st = tm_task_get(t);
	struct tm_rename_record *r;

	tm_touch(t->pid);
	if (st)
		tm_rules_at_rename(t, st, comm);
	if (tm_leave_out_record(t, st))
		return 0;
	r = tm_ring_reserve(sizeof(*r), TM_RECORD_RENAME, TM_DROP_RING_RENAME);
	if (!r)
		return 0;
	tm_fill_identity(&r->id, t);
	__builtin_memset(r->comm, 0, sizeof(r->comm));
	bpf_probe_read_kernel(r->old_comm, sizeof(r->old_comm), t->comm);
	bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), comm);
	tm_fill_decision(&r->decision, st);
	if (tm_same_comm(r->old_comm, r->comm)) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 0;
	}
	tm_ring_submit(r);
	if (st)
		tm_note_told(st);
	return 0;
}

/*
 * A life whose storage was refused until now still gets its final record. Who was there before us with other threads
 * does not: how many of them are past this hook, and will not be counted in, cannot be known.
 */
static __always_inline struct tm_task *tm_storage_at_exit(struct task_struct *t)
{
	struct tm_task *st = tm_task_get(t);
	bool preexisting = tm_is_preexisting(t);

	if (st || (preexisting && t->signal->nr_threads > 1))
		return st;
	st = tm_task_adopt(t);
	if (st) {
		st->made_at_exit = 1;
		return st;
	}
	tm_count_drop(TM_DROP_LIFE);
	if (!preexisting)
		tm_group_lose(t);
	return NULL;
}

/* From 6.16 on the tracepoint comes before the mm goes, and has a second argument, which we do without. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(tm_exit, struct task_struct *t)
{
	struct tm_task *st = tm_storage_at_exit(t);
	struct tm_exit_capture *seen;

	if (!st)
		return 0;
	tm_group_exit(t, st);
	seen = &st->at_exit;
	seen->ppid = t->real_parent->tgid;
	seen->by_exec = tm_exec_by_another(t);
	seen->valid = tm_fill_memory(seen->process, t);
	seen->valid |= tm_fill_files(seen->process, t);
	seen->valid |= tm_fill_signal(seen->process, seen->dead, t, true);
	tm_rules_at_exit(t, st);
	return 0;
}

/* The lifecycle group's share of sched_switch, while the scheduler hook is not attached. */
SEC("tp_btf/sched_switch")
int BPF_PROG(tm_final_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct tm_task *st;

	if (!(tm_task_state(prev) & TASK_DEAD))
		return 0;
	st = tm_task_get(prev);
	if (st)
		tm_task_died(prev, st);
	return 0;
}

/* The net under tm_group_leave: a leader that is freed takes its process with it. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(tm_free, struct task_struct *t)
{
	struct tm_task *st = tm_task_get(t);

	if (st && t->group_leader == t && tm_group_unfinished(t, st))
		tm_tell_end(t, st, true);
	if (st && t->group_leader == t)
		tm_process_forget(st);
	tm_task_forget(t);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
