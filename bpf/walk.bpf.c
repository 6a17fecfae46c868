// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A pass along the kernel's own lists of processes and threads (since 6.10). Unlike the task iterator it looks up no
 * number and takes no reference for a task that has no news, and writes records where user space reads them: an idle task
 * costs little more than half.
 *
 * The lists are safe to follow under rcu_read_lock, which may keep the CPU from others: hence stretches, which begin at
 * processes. The list of processes is a ring; the pass begins and ends at the caller's own.
 */
#include "walk.bpf.h"

#ifdef TM_TASK_WALK

#include "pass.bpf.h"

struct bpf_iter_num {
	u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern void *bpf_rdonly_cast(const void *object, u32 type_id) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))

static __always_inline struct task_struct *tm_task_at(u64 address)
{
	return bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct task_struct));
}

static __always_inline void tm_enter_process(u64 leader)
{
	struct signal_struct *signal = tm_task_at(leader)->signal;

	tm_walk.leader = leader;
	tm_walk.task = leader;
	tm_walk.thread_head = signal->nr_threads > 1 ? (u64)&signal->thread_head : 0;
}

/* To the process's next thread, or the next process. */
static __always_inline void tm_go_on(void)
{
	u64 next = 0;

	if (tm_walk.thread_head)
		next = (u64)tm_task_at(tm_walk.task)->thread_node.next;
	if (next && next != tm_walk.thread_head) {
		tm_walk.task = next - bpf_core_field_offset(struct task_struct, thread_node);
		return;
	}
	next = (u64)tm_task_at(tm_walk.leader)->tasks.next;
	tm_enter_process(next - bpf_core_field_offset(struct task_struct, tasks));
}

/* Global functions: the verifier looks at each once, and not anew for each way that leads there. 1 stands for true. */

int tm_walk_has_news(u64 address, struct tm_passed *passed)
{
	return passed && tm_pass_has_news(passed, tm_task_at(address));
}

static __always_inline bool tm_walk_send_locked(struct task_struct *t, struct tm_passed *passed)
{
	u32 index = tm_walk.records;
	struct tm_task_record *r;
	struct tm_task *st;

	if (!tm_pass_wants(passed, t, &st))
		return true;
	r = bpf_map_lookup_elem(&tm_walked, &index);
	if (!r) {
		tm_touch(t->pid);
		return false;
	}
	tm_pass_fill(r, passed, t, st);
	tm_walk.records = index + 1;
	tm_pass_sent(passed, t, st, r->counters[TM_C_RUNTIME_NS]);
	return true;
}

/* 0: there is no room for its record. The lock is held already, which the verifier does not know here. */
int tm_walk_send(struct task_struct *t __arg_trusted, struct tm_passed *passed)
{
	int sent;

	if (!passed)
		return 1;
	bpf_rcu_read_lock();
	sent = tm_walk_send_locked(t, passed);
	bpf_rcu_read_unlock();
	return sent;
}

/* False: there is no room. */
static __noinline bool tm_walk_task(u64 address)
{
	struct tm_passed passed = {};
	struct task_struct *t;
	bool sent = true;

	tm_walk.looked_at++;
	if (!tm_walk_has_news(address, &passed))
		return true;
	t = bpf_task_from_pid(tm_task_at(address)->pid);
	if (!t)
		return true;	/* it is gone; its final record says so */
	if ((u64)t == address)
		sent = tm_walk_send(t, &passed);
	bpf_task_release(t);
	return sent;
}

/* At a process that this stretch leaves to the next one? */
static __always_inline bool tm_walk_pauses(struct task_struct *t)
{
	if (tm_walk.looked_at < TM_WALK_TASKS && tm_walk.records < TM_WALK_RECORDS)
		return false;
	tm_walk.next_tgid = t->tgid;
	tm_walk.next_start_ns = tm_start_ns(t);
	return true;
}

static __always_inline int tm_walk_on(void)
{
	int outcome = TM_WALK_LOST;
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, TM_WALK_LONGEST);
	while (bpf_iter_num_next(&it)) {
		u64 address = *(volatile u64 *)&tm_walk.task;
		struct task_struct *t = tm_task_at(address);

		if (address == tm_walk.leader && tm_walk.looked_at) {
			outcome = TM_WALK_DONE;
			if (t->tgid == tm_walk.own_tgid)
				break;
			outcome = TM_WALK_GOES_ON;
			if (tm_walk_pauses(t))
				break;
		}
		outcome = TM_WALK_FULL;
		if (t->pid && !tm_walk_task(address))	/* the idle task, number 0, is in the ring */
			break;
		tm_go_on();
	}
	bpf_iter_num_destroy(&it);
	return outcome;
}

SEC("syscall")
int tm_walk_stretch(void *ctx)
{
	struct task_struct *from;
	int outcome = TM_WALK_LOST;
	bool found;

	tm_walk.records = 0;
	tm_walk.looked_at = 0;
	bpf_rcu_read_lock();
	from = bpf_task_from_pid(tm_walk.next_tgid);
	if (!from)
		goto out;
	found = from->pid == from->tgid && (!tm_walk.next_start_ns || tm_start_ns(from) == tm_walk.next_start_ns);
	*(volatile u64 *)&tm_walk.leader = (u64)from;
	bpf_task_release(from);	/* rcu_read_lock keeps it */
	if (found) {
		tm_enter_process(*(volatile u64 *)&tm_walk.leader);
		outcome = tm_walk_on();
	}
out:
	bpf_rcu_read_unlock();
	return outcome;
}

#else

/* Here so that all flavours have the same programs; never loaded. */
SEC("syscall")
int tm_walk_stretch(void *ctx)
{
	return TM_WALK_LOST;
}

#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
