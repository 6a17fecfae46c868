/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fills the parts of a struct tm_task_record. Pure reading: used by the iterator, by sched_process_exit (what goes away
 * with the exit) and by the final record.
 */
#ifndef TASKMON_RECORD_BPF_H
#define TASKMON_RECORD_BPF_H

#include "bits.bpf.h"
#include "storage.bpf.h"

static __always_inline void tm_fill_identity(struct tm_identity *id, struct task_struct *t)
{
	id->tid = t->pid;
	id->tgid = t->tgid;
	id->start_ns = tm_start_ns(t);
	id->process_start_ns = tm_start_ns(t->group_leader);
}

static __always_inline u64 tm_cgroup_id(struct task_struct *t)
{
	return t->cgroups->dfl_cgrp->kn->id;
}

static __always_inline u32 tm_kernel_flags(struct task_struct *t)
{
	return (t->flags & PF_KTHREAD ? TM_TASK_KTHREAD : 0) | (t->pid == t->tgid ? TM_TASK_LEADER : 0);
}

/* As ps prints it: fs/proc/array.c, get_task_state. */
static __always_inline char tm_state_letter(u32 state, u32 exit_state)
{
	u32 bits = (state | exit_state) & TASK_REPORT;

	if ((state & TASK_IDLE) == TASK_IDLE)
		return 'I';
	if (bits & 0x40)
		return 'P';	/* parked kernel thread */
	if (bits & 0x20)
		return 'Z';
	if (bits & 0x10)
		return 'X';
	if (bits & 0x08)
		return 't';
	if (bits & 0x04)
		return 'T';
	if (bits & 0x02 || state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
		return 'D';
	return bits & 0x01 ? 'S' : 'R';
}

static __always_inline void tm_fill_io(u64 *c, struct task_io_accounting *io)
{
	c[TM_C_RCHAR] = io->rchar;
	c[TM_C_WCHAR] = io->wchar;
	c[TM_C_SYSCR] = io->syscr;
	c[TM_C_SYSCW] = io->syscw;
	c[TM_C_READ_BYTES] = io->read_bytes;
	c[TM_C_WRITE_BYTES] = io->write_bytes;
	c[TM_C_CANCELLED_WRITE_BYTES] = io->cancelled_write_bytes;
}

static __always_inline u32 tm_fill_counters(u64 *c, struct task_struct *t)
{
	c[TM_C_RUNTIME_NS] = t->se.sum_exec_runtime;
	c[TM_C_UTIME_NS] = t->utime;
	c[TM_C_STIME_NS] = t->stime;
	c[TM_C_MIN_FLT] = t->min_flt;
	c[TM_C_MAJ_FLT] = t->maj_flt;
	c[TM_C_NVCSW] = t->nvcsw;
	c[TM_C_NIVCSW] = t->nivcsw;
	c[TM_C_RUN_DELAY_NS] = tm_run_delay_ns(t);
	c[TM_C_MIGRATIONS] = t->se.nr_migrations;
	if (!tm_has_io_accounting())
		return 0;
	tm_fill_io(c, &t->ioac);
	return TM_VALID_IO;
}

static __always_inline void tm_fill_dead(u64 *c, struct signal_struct *sig)
{
	c[TM_C_RUNTIME_NS] = sig->sum_sched_runtime;
	c[TM_C_UTIME_NS] = sig->utime;
	c[TM_C_STIME_NS] = sig->stime;
	c[TM_C_MIN_FLT] = sig->min_flt;
	c[TM_C_MAJ_FLT] = sig->maj_flt;
	c[TM_C_NVCSW] = sig->nvcsw;
	c[TM_C_NIVCSW] = sig->nivcsw;
	if (tm_has_io_accounting())
		tm_fill_io(c, &sig->ioac);
}

static __always_inline u32 tm_fill_memory(u64 *p, struct task_struct *t)
{
	struct mm_struct *mm = t->mm;
	u64 page = tm_page_size, file, anon, shmem, rss, peak;

	if (!mm || t->flags & PF_KTHREAD)
		return 0;
	file = tm_rss_pages(mm, MM_FILEPAGES);
	anon = tm_rss_pages(mm, MM_ANONPAGES);
	shmem = tm_rss_pages(mm, MM_SHMEMPAGES);
	rss = file + anon + shmem;
	peak = mm->hiwater_rss;
	p[TM_P_VM_BYTES] = mm->total_vm * page;
	p[TM_P_RSS_FILE_BYTES] = file * page;
	p[TM_P_RSS_ANON_BYTES] = anon * page;
	p[TM_P_RSS_SHMEM_BYTES] = shmem * page;
	p[TM_P_SWAP_BYTES] = tm_rss_pages(mm, MM_SWAPENTS) * page;
	p[TM_P_RSS_PEAK_BYTES] = (peak > rss ? peak : rss) * page;
	return TM_VALID_MM;
}

/* As a number, not as a pointer, which could be passed on to no function but an inlined one. */
static __always_inline u64 tm_files_address(struct task_struct *t)
{
	u64 files = 0;

	bpf_core_read(&files, sizeof(files), &t->files);
	return files;
}

static __always_inline u32 tm_fill_files(u64 *p, struct task_struct *t)
{
	u64 files = tm_files_address(t), count;

	if (!files || t->flags & PF_KTHREAD)
		return 0;
	count = tm_count_fds(files);
	if (count == ~0ull)
		return 0;
	p[TM_P_FD_COUNT] = count;
	return TM_VALID_FILES;
}

/* maxrss covers what ran before an exec and, before 6.16, stands in for the mm that is gone at exit. */
static __always_inline u32 tm_fill_signal(u64 *p, u64 *dead, struct task_struct *t, bool exiting)
{
	struct signal_struct *sig = t->signal;
	u64 maxrss = sig->maxrss * tm_page_size;

	p[TM_P_FD_LIMIT] = sig->rlim[RLIMIT_NOFILE].rlim_cur;
	p[TM_P_THREADS] = sig->nr_threads;
	if (exiting && !t->mm && p[TM_P_RSS_PEAK_BYTES] < maxrss)
		p[TM_P_RSS_PEAK_BYTES] = maxrss;
	tm_fill_dead(dead, sig);
	return TM_VALID_SIGNAL;
}

static __always_inline void tm_fill_task(struct tm_task_record *r, struct task_struct *t)
{
	const struct cred *cred = t->real_cred;

	tm_fill_identity(&r->id, t);
	r->ppid = t->real_parent->tgid;
	r->uid = cred->euid.val;
	r->gid = cred->egid.val;
	r->flags = tm_kernel_flags(t);
	r->nice = t->static_prio - DEFAULT_PRIO;
	r->priority = t->prio - MAX_RT_PRIO;
	r->cpu = tm_task_cpu(t);
	r->cgroup_id = tm_cgroup_id(t);
	r->state = tm_state_letter(tm_task_state(t), t->exit_state);
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), t->comm);
	r->valid = tm_fill_counters(r->counters, t);
	r->accounted_ns = r->counters[TM_C_RUNTIME_NS];
}

/* st may be NULL. */
static __always_inline void tm_fill_decision(struct tm_decision *into, const struct tm_task *st)
{
	if (st && st->decision.at != TM_DECIDED_NEVER) {
		*into = st->decision;
		return;
	}
	__builtin_memset(into, 0, sizeof(*into));
	into->rule = TM_NO_RULE;
}

static __always_inline void tm_fill_hooked(struct tm_task_record *r, struct task_struct *t, struct tm_task *st)
{
	r->flags |= st->flags;
	r->valid |= TM_VALID_STORAGE;
	r->accounted_ns = st->accounted_ns;
	tm_fill_decision(&r->decision, st);
	__builtin_memcpy(&r->counters[TM_C_HOOKED], st->hooked, sizeof(st->hooked));
	if (tm_oom_from_signal && t->pid == t->tgid)
		r->counters[TM_C_OOM_KILLS] = t->signal->oom_mm != NULL;
}

#endif
