/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the kernel side remembers: one struct tm_task per task, in task storage, and the maps shared by all programs.
 *
 * A task's struct is written by the task itself (its own hooks run in its context) and by the scheduler hook of the
 * CPU that switches it in or out; these never run at once. What other contexts write (oom, counted) is atomic.
 * Storage is made in process context only (fork, exec, exit, iterator), never under the run-queue lock.
 *
 * Window maxima are double-buffered by the parity of the epoch: hooks write windows[tm_epoch & 1], the iterator reads
 * (and, for tasks that run on and on, completes) the other one, whose epoch has just been closed. A window with a stale epoch is empty.
 */
#ifndef TASKMON_STORAGE_BPF_H
#define TASKMON_STORAGE_BPF_H

#include "core_fixes.bpf.h"
#include "rules_abi.h"

#include <bpf/bpf_tracing.h>

enum {
	TM_SCHED_MAXIMA = TM_M_IO_REQUEST_NS,	/* those that the scheduler hook keeps come first */
	TM_MAX_GROUPS = 32768,			/* processes with threads, alive at once */
};

/* When a struct tm_task is made; bits of tm_refuse_storage. */
enum tm_storage_moment {
	TM_AT_FORK = 1 << 0,
	TM_AFTER_FORK = 1 << 1,
};

/* The range of a page cache lookup; one read(2) may look the same range up in several batches. */
struct tm_lookup {
	u64 mapping;
	u64 last;
	u64 syscr;
};

/* What sched_process_exit sees for the last time; sent with the final record. */
struct tm_exit_capture {
	u64 process[TM_P_MAX];
	u64 dead[TM_C_HOOKED];
	u32 valid;
	s32 ppid;
	u32 by_exec;		/* of another thread */
	u32 pad;
};

struct tm_task {
	u32 reported_epoch;	/* whose window was sent last */
	u32 window_epochs[2];	/* of windows[] */
	u32 counted;		/* in tm_groups */
	u32 uses_block;		/* has an entry in tm_io */
	u32 flags;		/* those of enum tm_task_flags that stick */
	u32 interrupted;	/* a system call was to be restarted; a signal handler may turn that into EINTR */
	u32 finished;		/* final record sent */
	u32 group_finished;	/* with TM_TASK_GROUP_DEAD */
	u32 made_late;		/* this struct: not at fork */
	u32 made_at_exit;	/* the hooks have counted nothing */

	/* the open off-CPU interval */
	u64 off_since_ns;	/* 0: on CPU, or never seen to leave it */
	u32 off_witness;	/* tid that took the CPU; 0 when the task went to sleep */
	u32 off_iowait;		/* asleep with in_iowait */
	/* the latest closed one, until its run-queue part is known */
	u64 in_ns;		/* when it ended; 0: nothing waits */
	u64 gap_ns;		/* its length; 0: the task had never run before */
	u32 in_witness;		/* tid that ran before it on that CPU */
	u32 in_cpu;
	u32 in_iowait;
	s32 tid;		/* as user space knows it */
	u64 run_delay_ns;	/* sched_info.run_delay at the latest switch-out */
	u64 born_ns;		/* fork seen, first switch-in not yet */

	u64 hooked[TM_C_MAX - TM_C_HOOKED];
	struct tm_max windows[2][TM_SCHED_MAXIMA];

	/* rules.bpf.h; for a thread other than the leader only the first of them, as a copy */
	struct tm_decision decision;
	u64 name[2]; /* what the rest was made from: comm, padded with zeros */
	u64 cgroup_id;
	u32 uid;
	u32 used;	     /* by any thread: TM_TASK_TCP_USED, TM_TASK_UDP_USED */
	u32 crossed;	     /* by the process: a bit per threshold */
	u32 thresholds_id;   /* of the thresholds that crossed is about */
	u32 generation;	     /* of the rules; 0: not decided */
	u32 changes;	     /* events that ask for another decision */
	u32 changes_decided; /* those that the decision knows of */
	u32 changed_at;	     /* enum tm_decided_at of the latest */
	u32 named;	     /* name is known */
	u32 deciding;	     /* someone is at it */

	/* thresholds.bpf.h: hook-kept counters as of the latest pass that looked */
	u64 seen[TM_C_MAX - TM_C_HOOKED];
	u32 seen_epoch;
	u32 seen_in_process; /* and part of struct tm_process.live */

	u64 accounted_ns; /* as in struct tm_task_record */
	u32 told;	  /* user space has it as one that is wanted */

	/* As numbers, for functions of our own that the verifier walks once: those take no pointers. */
	u64 task;
	u64 signal;

	u64 made_ns;		/* this struct: tells the task from a later one at the same address */
	u64 start_ns;		/* as user space knows it */
	u64 process_start_ns;
	struct tm_lookup lookup;
	struct tm_exit_capture at_exit;
};

#include "task_storage.bpf.h"

struct tm_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);	/* ProbeOptions.ring_bytes */
};

struct tm_drops_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TM_DROP_MAX);
	__type(key, u32);
	__type(value, u64);
};

/*
 * Threads alive per process, for processes that have, or had, more than one. Keyed by signal_struct: unlike the group
 * leader it outlives every thread's last switch, and a non-leader's exec does not change it.
 */
struct tm_groups_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TM_MAX_GROUPS);
	__type(key, u64);
	__type(value, u64);
};

/* A command line is copied here first, so that the ring gets only the bytes in use. */
struct tm_exec_scratch_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct tm_exec_record);
};

/*
 * Fingerprints of what the iterator sent last, by the low bits of the tid; 0: send it. Apart from task storage, which
 * costs three cache misses to reach: an idle task is recognised by 8 bytes that lie beside its neighbours'. Tasks that
 * share a slot have different fingerprints and are sent in every pass.
 */
struct tm_sent_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TM_SENT_SLOTS);
	__type(key, u32);
	__type(value, u64);
};

extern struct tm_sent_map tm_sent SEC(".maps");
extern struct tm_ring_map tm_ring SEC(".maps");
extern struct tm_drops_map tm_drops SEC(".maps");
extern struct tm_groups_map tm_groups SEC(".maps");
extern struct tm_exec_scratch_map tm_exec_scratch SEC(".maps");

/* Set before loading. */
extern const volatile __u32 tm_page_size;
extern const volatile __u64 tm_ring_wake_bytes;
extern const volatile __u32 tm_oom_from_signal;	/* mark_victim gives a number only: derive the count from signal->oom_mm */
extern const volatile __u32 tm_refuse_storage;	/* tests: enum tm_storage_moment */

/* Set while running. */
extern __u32 tm_epoch;			/* the open window; starts at 1 */
extern __u32 tm_send_all;		/* the iterator leaves nothing out */
extern __u64 tm_sched_since_ns;		/* when the scheduler hook was attached; all ones: it is not */
extern __u64 tm_lifecycle_since_ns;	/* when the lifecycle hooks were */

static __always_inline void tm_count_drop(u32 which)
{
	u64 *n = bpf_map_lookup_elem(&tm_drops, &which);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline u64 *tm_sent_slot(u32 tid)
{
	u32 index = tid & (TM_SENT_SLOTS - 1);

	return bpf_map_lookup_elem(&tm_sent, &index);
}

/* The next pass must send this task. */
static __always_inline void tm_touch(u32 tid)
{
	u64 *sent = tm_sent_slot(tid);

	if (sent)
		*sent = 0;
}

static __always_inline void tm_current_add(const enum tm_counter counter, u64 n)
{
	struct tm_task *st = tm_current_get();

	if (st)
		st->hooked[counter - TM_C_HOOKED] += n;
}

/* Process context only. */
static __always_inline struct tm_task *tm_task_create(struct task_struct *t, const enum tm_storage_moment moment)
{
	struct tm_task *st = tm_refuse_storage & moment ? NULL : tm_task_get_or_make(t);

	if (!st) {
		tm_count_drop(TM_DROP_STORAGE);
		return NULL;
	}
	st->tid = t->pid;
	st->task = (u64)t;
	st->signal = (u64)t->signal;
	st->made_ns = bpf_ktime_get_boot_ns();
	st->start_ns = tm_start_ns(t);
	st->process_start_ns = tm_start_ns(t->group_leader);
	st->seen_epoch = tm_epoch;
	return st;
}

/* Was there before the fork hook. */
static __always_inline bool tm_is_preexisting(struct task_struct *t)
{
	return tm_start_ns(t) < tm_lifecycle_since_ns;
}

/* Of a task whose birth we may not have seen, or whose storage was refused then. */
static __always_inline struct tm_task *tm_task_adopt(struct task_struct *t)
{
	struct tm_task *st = tm_task_get(t);

	if (st)
		return st;
	st = tm_task_create(t, TM_AFTER_FORK);
	if (!st)
		return NULL;
	st->made_late = 1;
	if (tm_is_preexisting(t)) {
		st->flags |= TM_TASK_PREEXISTING;
		st->accounted_ns = t->se.sum_exec_runtime;
	}
	return st;
}

static __always_inline void tm_note_max_in(struct tm_task *st, u32 epoch, const enum tm_maximum which,
					   const struct tm_max *seen)
{
	struct tm_max *window = st->windows[epoch & 1];

	if (st->window_epochs[epoch & 1] != epoch) {
		__builtin_memset(window, 0, sizeof(st->windows[0]));
		st->window_epochs[epoch & 1] = epoch;
	}
	if (seen->value_ns > window[which].value_ns)
		window[which] = *seen;
}

static __always_inline void tm_note_max(struct tm_task *st, const enum tm_maximum which, const struct tm_max *seen)
{
	tm_note_max_in(st, tm_epoch, which, seen);
}

/* Adds the maxima of a window, if it is that epoch's. */
static __always_inline void tm_take_window(struct tm_max *into, const struct tm_task *st, u32 epoch)
{
	const struct tm_max *window = st->windows[epoch & 1];

	if (st->window_epochs[epoch & 1] != epoch)
		return;
	for (int i = 0; i < TM_SCHED_MAXIMA; i++)
		if (window[i].value_ns > into[i].value_ns)
			into[i] = window[i];
}

static __always_inline void tm_fill_header(struct tm_record_header *h, u32 size, u16 kind)
{
	h->size = size;
	h->kind = kind;
	h->cpu = bpf_get_smp_processor_id();
	h->time_ns = bpf_ktime_get_boot_ns();
}

/* A record of constant size in the ring, header filled, or NULL and the drop counted. */
static __always_inline void *tm_ring_reserve(const u64 size, u16 kind, u32 drop)
{
	struct tm_record_header *h = bpf_ringbuf_reserve(&tm_ring, size, 0);

	if (!h) {
		tm_count_drop(drop);
		return NULL;
	}
	tm_fill_header(h, size, kind);
	return h;
}

/*
 * Whether a record makes what waits in the ring pass a multiple of tm_ring_wake_bytes, a power of two. Only then is user
 * space woken: it interrupts the CPU of the task that the record is about. Records of two CPUs at once may hide a multiple
 * from each other; the next one wakes.
 */
static __always_inline u64 tm_ring_wake(u64 before, u64 after)
{
	return (before ^ after) & ~(tm_ring_wake_bytes - 1) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline u64 tm_ring_waiting(void)
{
	return bpf_ringbuf_query(&tm_ring, BPF_RB_AVAIL_DATA);
}

/* What a record takes in the ring. */
static __always_inline u64 tm_ring_room(u64 size)
{
	return ((size + 7) & ~7ull) + BPF_RINGBUF_HDR_SZ;
}

static __always_inline void tm_ring_submit(void *record)
{
	struct tm_record_header *h = record;
	u64 after = tm_ring_waiting();

	bpf_ringbuf_submit(record, tm_ring_wake(after - tm_ring_room(h->size), after));
}

/* 0, or the drop counted. */
static __always_inline long tm_ring_output(void *record, u64 size, u32 drop)
{
	u64 before = tm_ring_waiting();
	long error = bpf_ringbuf_output(&tm_ring, record, size, tm_ring_wake(before, before + tm_ring_room(size)));

	if (error)
		tm_count_drop(drop);
	return error;
}

#endif
