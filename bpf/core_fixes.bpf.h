/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One shim per kernel change that moves something we read. Each names the change; all are decided when the object is
 * loaded (CO-RE), so that the branch not taken costs nothing.
 *
 * A type with a ___suffix is a flavour: libbpf matches it against the kernel's type without the suffix.
 */
#ifndef TASKMON_CORE_FIXES_BPF_H
#define TASKMON_CORE_FIXES_BPF_H

#include "kernel_types.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct___before_5_14 {
	long state;
};

struct task_struct___before_5_16 {
	unsigned int cpu;
};

struct task_struct___before_5_5 {
	u64 real_start_time;
};

struct signal_struct___before_5_17 {
	struct task_struct *group_exit_task;
};

struct mm_rss_stat {
	struct {
		s64 counter;
	} count[4];
};

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
};

struct percpu_counter {
	s64 count;
};

struct mm_struct___since_6_2 {
	struct percpu_counter rss_stat[4];
};

struct request___before_5_17 {
	struct gendisk *rq_disk;
};

#pragma clang attribute pop

/* 5.14 renamed task_struct.state to __state and made it an unsigned int (2f064a59a11f). */
static __always_inline u32 tm_task_state(struct task_struct *t)
{
	struct task_struct___before_5_14 *old = (void *)t;

	if (bpf_core_field_exists(t->__state))
		return t->__state;
	return old->state;
}

/* 5.16 moved the CPU number from task_struct to thread_info (bcf9033e5449). */
static __always_inline u32 tm_task_cpu(struct task_struct *t)
{
	struct task_struct___before_5_16 *old = (void *)t;

	if (bpf_core_field_exists(old->cpu))
		return old->cpu;
	if (bpf_core_field_exists(t->thread_info.cpu))
		return t->thread_info.cpu;
	return 0;
}

/* 5.5 renamed real_start_time to start_boottime (cf25e24db61c). */
static __always_inline u64 tm_start_ns(struct task_struct *t)
{
	struct task_struct___before_5_5 *old = (void *)t;

	if (bpf_core_field_exists(t->start_boottime))
		return t->start_boottime;
	return old->real_start_time;
}

/*
 * Has another thread of this process called exec and waits for this one to end? 5.17 gave exec a member of its own
 * (60700e38fb68); before, core dumps used it, too, and say so by a flag.
 */
static __always_inline bool tm_exec_by_another(struct task_struct *t)
{
	struct signal_struct *sig = t->signal;
	struct signal_struct___before_5_17 *old = (void *)sig;

	if (bpf_core_field_exists(sig->group_exec_task))
		return sig->group_exec_task && sig->group_exec_task != t;
	return old->group_exit_task && old->group_exit_task != t &&
	       !(sig->flags & (SIGNAL_GROUP_EXIT | SIGNAL_GROUP_COREDUMP));
}

/*
 * 6.2 turned mm_struct.rss_stat from a struct around an array of atomic_long into an array of percpu_counter
 * (f1a7941243c1). The per-CPU remainders are left out: the kernel's own bound on the error is 32 pages per CPU.
 * Both may be below zero for a moment. A macro, since only a constant index is relocated with the kernel's stride.
 * The old verifiers follow no array of a typedef: not a plain load there.
 */
#define tm_rss_pages(mm, member)                                                       \
	({                                                                             \
		struct mm_struct___before_6_2 *__old = (void *)(mm);                   \
		struct mm_struct___since_6_2 *__new = (void *)(mm);                    \
		s64 __pages = 0;                                                       \
                                                                                       \
		if (bpf_core_type_exists(struct mm_rss_stat))                          \
			bpf_core_read(&__pages, sizeof(__pages),                       \
				      &__old->rss_stat.count[member].counter);         \
		else                                                                   \
			__pages = __new->rss_stat[member].count;                       \
		/* 0 when negative, without a branch for the verifier to follow */     \
		(u64)(__pages & ~(__pages >> 63));                                     \
	})

/* Kernels without CONFIG_SCHED_INFO have an empty struct sched_info. */
static __always_inline u64 tm_run_delay_ns(struct task_struct *t)
{
	if (bpf_core_field_exists(t->sched_info.run_delay))
		return t->sched_info.run_delay;
	return 0;
}

/* Kernels without CONFIG_TASK_IO_ACCOUNTING have an empty struct task_io_accounting. */
static __always_inline bool tm_has_io_accounting(void)
{
	return bpf_core_field_exists(((struct task_io_accounting *)0)->read_bytes) &&
	       bpf_core_field_exists(((struct task_io_accounting *)0)->rchar);
}

/*
 * The partition that a request is accounted to, at its end: it is not set at the beginning yet. Before 5.11 `part` was
 * no block_device (8446fe9255be): the whole disk then, which 5.17 moved from the request to its queue (f3fa33acca9f).
 */
static __always_inline u32 tm_request_device(struct request *rq)
{
	struct request___before_5_17 *old = (void *)rq;
	u32 device = 0;

	if (bpf_core_field_exists(((struct block_device *)0)->bd_dev))
		device = rq->part->bd_dev;
	if (device)
		return device;
	if (bpf_core_field_exists(old->rq_disk))
		return (u32)old->rq_disk->major << 20 | (u32)old->rq_disk->first_minor;
	return (u32)rq->q->disk->major << 20 | (u32)rq->q->disk->first_minor;
}

#endif
