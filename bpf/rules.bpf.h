/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Who is wanted. A decision is about a process: it stands in its leader's struct tm_task, and its threads carry a copy.
 *
 *     fork ── inherited ──► exec, rename, owner, cgroup, first connection, threshold crossed, new rules
 *                                 │ the names, numbers and tests that hold ──► tm_match ──► the smallest rule
 *                                 ▼
 *              wanted │ unwanted │ pending ── user space answers: tm_verdicts ──► wanted │ unwanted
 *
 * An event first notes what it changed and counts itself in `changes`; a decision remembers how many it knew of.
 * Whoever comes by later sees whether it is out of date, so that nothing is lost when two come at once: one of them
 * decides, the other leaves. What no hook tells (the owner, and the cgroup where the tracepoint is missing) is compared
 * with what the decision was made from.
 *
 * A thread reaches its process through group_leader, which is safe while the thread itself has not begun to exit.
 */
#ifndef TASKMON_RULES_BPF_H
#define TASKMON_RULES_BPF_H

#include "record.bpf.h"

struct tm_verdicts_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TM_MAX_VERDICTS);
	__type(key, struct tm_process_key);
	__type(value, struct tm_user_verdict);
};

struct tm_left_out_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TM_LEFT_OUT_MAX);
	__type(key, u32);
	__type(value, u64);
};

extern struct tm_verdicts_map tm_verdicts SEC(".maps");
extern struct tm_left_out_map tm_left_out SEC(".maps");

extern struct tm_rules tm_rules;  /* rules_abi.h */
extern __u32 tm_verdicts_waiting; /* user space has put some into tm_verdicts */
extern __u32 tm_promotions;	  /* processes with threads that came to be wanted */
extern __u32 tm_pass_left_out[2]; /* by the pass under way, or the latest: tasks, and processes among them */

enum {
	TM_USED_FLAGS = TM_TASK_TCP_USED | TM_TASK_UDP_USED,
	TM_FACT_CROSSED_SHIFT = 16, /* above the flags of enum tm_task_flags: a bit per threshold */
	TM_SEQ_AFTER_TAKEOVER = 1 << 16,
};

/*
 * The smallest rule that the kernel side can see matching, or TM_NO_RULE. set_and_uid: index of the set << 32 | owner;
 * facts: TM_TASK_KTHREAD, TM_USED_FLAGS and what was crossed. A global function: verified once for all its callers.
 */
u64 tm_match(u64 name_head, u64 name_tail, u64 cgroup_id, u64 set_and_uid, u64 facts);

/*
 * Of the task at this address: owner, with bit 32 for a kernel thread; and cgroup. Global functions that read by number:
 * since 6.2 each pointer followed costs the verifier a search of all the kernel's types, on each path that comes by.
 */
u64 tm_owner_at(u64 task);
u64 tm_cgroup_at(u64 task);

static __always_inline u32 tm_rules_index(void)
{
	return *(volatile u32 *)&tm_rules.active & 1;
}

static __always_inline const struct tm_rule_set *tm_rules_in_force(void)
{
	return &tm_rules.sets[tm_rules_index()];
}

/* False: nothing of all this is to cost anything. */
static __always_inline bool tm_rules_given(void)
{
	return tm_rules_in_force()->generation != 0;
}

/* Are unwanted tasks left out? */
static __always_inline bool tm_rules_filter(void)
{
	const struct tm_rule_set *set = tm_rules_in_force();

	return set->generation && !set->send_unwanted;
}

static __always_inline u64 tm_verdict_of(const struct tm_rule_set *set, u32 rule)
{
	if (rule != TM_NO_RULE && rule <= set->first_user_rule)
		return rule & 1 ? TM_VERDICT_UNWANTED : TM_VERDICT_WANTED;
	return set->first_user_rule != TM_NO_RULE ? TM_VERDICT_PENDING : TM_VERDICT_UNWANTED;
}

static __always_inline void tm_note_name(struct tm_task *st, const void *comm)
{
	st->name[0] = 0;
	st->name[1] = 0;
	bpf_probe_read_kernel_str(st->name, sizeof(st->name), comm);
	st->named = 1;
}

static __always_inline void tm_note_change(struct tm_task *st, u32 at)
{
	st->changed_at = at;
	__sync_fetch_and_add(&st->changes, 1);
}

/*
 * Global functions, too, whose argument before 5.12 can be no pointer: the hash flavour looks the struct up once more.
 * st is a leader's, here and below.
 *
 * tm_decide: always, even where the last decision is not out of date. tm_refresh: brings it up to date with what
 * happened; `compare` says to look for what no event tells first. Only while there are rules.
 */
#ifdef TM_TASK_HASH
int tm_decide_of(u64 task, u32 at);
int tm_refresh_of(u64 task, u32 compare);
#define tm_decide(st, at) tm_decide_of((st)->task, at)
#define tm_refresh(st, compare) tm_refresh_of((st)->task, compare)
#define TM_GLOBAL(name, second) int name##_of(u64 task, u32 second)
#define TM_GLOBAL_TASK bpf_map_lookup_elem(&tm_tasks, &task)
#else
int tm_decide(struct tm_task *st, u32 at);
int tm_refresh(struct tm_task *st, u32 compare);
#define TM_GLOBAL(name, second) int name(struct tm_task *given, u32 second)
#define TM_GLOBAL_TASK given
#endif

/* used: flags that a task of the process has. */
static __always_inline void tm_join_use(struct tm_task *st, u32 used)
{
	used &= TM_USED_FLAGS;
	if (!(used & ~st->used))
		return;
	st->used |= used;
	tm_note_change(st, TM_DECIDED_CONNECTION);
	tm_decide(st, TM_DECIDED_CONNECTION);
	tm_touch(st->tid);
}

/* Of a thread that has not begun to exit. */
static __always_inline struct tm_task *tm_leader_get(struct task_struct *t, struct tm_task *st)
{
	if (t->pid == t->tgid)
		return st;
	return tm_task_get(t->group_leader);
}

static __always_inline bool tm_is_wanted(const struct tm_task *st)
{
	return !tm_rules_filter() || st->decision.verdict != TM_VERDICT_UNWANTED;
}

/*
 * Is what happens to this task sent? Also once after a process has come to be unwanted: user space, which knows it as
 * wanted, must learn that it no longer is.
 */
static __always_inline bool tm_is_sent(struct task_struct *t, const struct tm_task *st)
{
	return tm_is_wanted(st) || (st->told && t->pid == t->tgid);
}

static __always_inline void tm_note_told(struct tm_task *st)
{
	st->told = tm_is_wanted(st);
}

static __always_inline void tm_add_left_out(u32 which, u64 n)
{
	u64 *sum = bpf_map_lookup_elem(&tm_left_out, &which);

	if (sum)
		*sum += n;
}

/* True: the record of this event is not to be made. */
static __always_inline bool tm_leave_out_record(struct task_struct *t, const struct tm_task *st)
{
	if (!st || tm_is_sent(t, st))
		return false;
	tm_add_left_out(TM_LEFT_OUT_RECORDS, 1);
	return true;
}

/* Is it as its parent was decided to be? */
static __always_inline bool tm_is_alike(struct tm_task *st, const struct tm_task *from)
{
	u32 matters = tm_rules_in_force()->matters;

	if (!from || !from->generation)
		return false;
	if (matters & TM_FACT_OWNER && from->uid != (u32)tm_owner_at(st->task))
		return false;
	return !(matters & TM_FACT_CGROUP) || from->cgroup_id == tm_cgroup_at(st->task);
}

/* A process that is forked inherits, unless it differs from its parent in what counts, or that is not known yet. */
static __always_inline void tm_inherit(struct task_struct *child, struct tm_task *st, const struct tm_task *from)
{
	tm_note_name(st, child->comm);
	if (!tm_is_alike(st, from)) {
		tm_decide(st, TM_DECIDED_FORK);
		return;
	}
	st->decision = from->decision;
	st->decision.seq = 1;
	st->decision.at = TM_DECIDED_FORK;
	st->decision.decided_ns = bpf_ktime_get_boot_ns();
	st->uid = from->uid;
	st->cgroup_id = from->cgroup_id;
	st->thresholds_id = from->thresholds_id;
	st->generation = from->generation;
}

static __always_inline void tm_rules_at_fork(struct task_struct *parent, struct tm_task *parent_st,
					     struct task_struct *child, struct tm_task *st)
{
	struct tm_task *from;

	if (!tm_rules_given())
		return;
	from = parent_st ? tm_leader_get(parent, parent_st) : NULL;
	if (from)
		tm_refresh(from, false);
	if (child->pid == child->tgid)
		tm_inherit(child, st, from);
	else if (from)
		st->decision = from->decision;
}

/* A thread that takes over as the leader has a copy which may be behind the leader's count of decisions. */
static __always_inline void tm_rules_at_exec(struct task_struct *t, struct tm_task *st, bool takeover)
{
	if (!tm_rules_given())
		return;
	if (takeover) {
		st->decision.seq += TM_SEQ_AFTER_TAKEOVER;
		st->used = st->flags & TM_USED_FLAGS;
	}
	tm_note_name(st, t->comm);
	tm_note_change(st, TM_DECIDED_EXEC);
	tm_decide(st, TM_DECIDED_EXEC);
}

/* By exec's own rename the new owner is not in force yet: its decision is left to what exec calls last. */
static __always_inline bool tm_in_exec(struct task_struct *t)
{
	if (!bpf_core_field_exists(t->in_execve))
		return false;
	return BPF_CORE_READ_BITFIELD(t, in_execve);
}

/* A thread's name is no matter of rules. comm: the new name, which the task does not have yet. */
static __always_inline void tm_rules_at_rename(struct task_struct *t, struct tm_task *st, const char *comm)
{
	u64 head = st->name[0], tail = st->name[1];

	if (!tm_rules_given() || t->pid != t->tgid)
		return;
	tm_note_name(st, comm);
	if (st->name[0] == head && st->name[1] == tail)
		return;
	tm_note_change(st, TM_DECIDED_RENAME);
	if (!tm_in_exec(t))
		tm_decide(st, TM_DECIDED_RENAME);
}

/* Notes that current uses TCP or UDP. */
static __always_inline void tm_note_use(struct tm_task *st, u32 flag)
{
	struct tm_task *leader_st;

	if (st->flags & flag)
		return;
	st->flags |= flag;
	if (!tm_rules_given())
		return;
	leader_st = tm_current_leader_get();
	if (leader_st)
		tm_join_use(leader_st, flag);
}

#endif
