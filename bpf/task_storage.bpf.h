/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where a task's struct tm_task is kept: task storage, or a hash on kernels before 5.13, whose tracing programs have
 * none (a10787e6d58c). The whole kernel side is compiled twice; probe.cc picks by KernelSupport::has_task_storage.
 * Before 5.12 the kernel refuses atomics that return something, even in code that never runs (5ca419f2864a): the hash
 * flavour does without, and what little that costs is said at each.
 *
 * Included by storage.bpf.h only.
 */
#ifndef TASKMON_TASK_STORAGE_BPF_H
#define TASKMON_TASK_STORAGE_BPF_H

#ifndef TM_TASK_HASH

struct tm_tasks_map {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tm_task);
};

extern struct tm_tasks_map tm_tasks SEC(".maps");

static __always_inline struct tm_task *tm_task_get(struct task_struct *t)
{
	return bpf_task_storage_get(&tm_tasks, t, NULL, 0);
}

static __always_inline struct tm_task *tm_current_get(void)
{
	return tm_task_get(bpf_get_current_task_btf());
}

static __always_inline struct tm_task *tm_current_leader_get(void)
{
	return tm_task_get(bpf_get_current_task_btf()->group_leader);
}

/* The fork hook and a pass may do so at the same moment: the kernel refuses the slower, who then finds the other's. */
static __always_inline struct tm_task *tm_task_get_or_make(struct task_struct *t)
{
	struct tm_task *st = bpf_task_storage_get(&tm_tasks, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	return st ? st : tm_task_get(t);
}

/* The kernel frees it with the task. */
static __always_inline void tm_task_forget(struct task_struct *t)
{
}

/* True for exactly one of all callers. */
static __always_inline bool tm_claim(u32 *flag)
{
	return !__sync_fetch_and_or(flag, 1);
}

static __always_inline u64 tm_decrement(u64 *value)
{
	return __sync_fetch_and_add(value, -1) - 1;
}

static __always_inline bool tm_replace(u64 *at, u64 before, u64 after)
{
	return __sync_val_compare_and_swap(at, before, after) == before;
}

#else

enum { TM_HASHED_TASKS = 32768 };	/* alive at once, zombies included */

/* By the address of the task_struct. Preallocated: nothing is allocated under the run-queue lock. */
struct tm_tasks_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TM_HASHED_TASKS);
	__type(key, u64);
	__type(value, struct tm_task);
};

extern struct tm_tasks_map tm_tasks SEC(".maps");

static __always_inline struct tm_task *tm_task_get(struct task_struct *t)
{
	u64 key = (u64)t;

	return bpf_map_lookup_elem(&tm_tasks, &key);
}

static __always_inline struct tm_task *tm_current_get(void)
{
	u64 key = bpf_get_current_task();

	return bpf_map_lookup_elem(&tm_tasks, &key);
}

static __always_inline struct tm_task *tm_current_leader_get(void)
{
	return tm_task_get(BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader));
}

static __always_inline struct tm_task *tm_task_get_or_make(struct task_struct *t)
{
	static const struct tm_task fresh;
	u64 key = (u64)t;

	bpf_map_update_elem(&tm_tasks, &key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tm_tasks, &key);
}

static __always_inline void tm_task_forget(struct task_struct *t)
{
	u64 key = (u64)t;

	bpf_map_delete_elem(&tm_tasks, &key);
}

/* Two may both succeed within the same ns: the count is then too high, and the process closed by tm_free only. */
static __always_inline bool tm_claim(u32 *flag)
{
	bool first = !*flag;

	*flag = 1;
	return first;
}

/* Two may both see 0: the group's entry goes to whoever deletes it. */
static __always_inline u64 tm_decrement(u64 *value)
{
	__sync_fetch_and_add(value, -1);
	return *(volatile u64 *)value;
}

/* May overwrite a larger maximum that was written within the same ns. */
static __always_inline bool tm_replace(u64 *at, u64 before, u64 after)
{
	*(volatile u64 *)at = after;
	return true;
}

#endif

#endif
