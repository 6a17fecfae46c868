// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Looking rules up: one look-up for each kind of key, however many keys there are. And the move to another cgroup. */
#include "rules.bpf.h"

struct tm_rule_keys {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct tm_rule_key));
	__uint(value_size, sizeof(struct tm_key_verdict));
};

struct tm_rule_names {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct tm_prefix_key));
	__uint(value_size, sizeof(struct tm_key_verdict));
};

/* By the index of the set. Each set comes with maps of its own, as large as it needs: rule_maps.cc. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TM_RULE_SETS);
	__type(key, u32);
	__array(values, struct tm_rule_keys);
} tm_rule_keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TM_RULE_SETS);
	__type(key, u32);
	__array(values, struct tm_rule_names);
} tm_rule_prefixes SEC(".maps");

struct tm_found {
	u64 tests;
	u32 rule;
};

static __always_inline void tm_find(struct tm_found *found, const struct tm_key_verdict *verdict)
{
	found->tests |= verdict->tests;
	if (verdict->rule < found->rule)
		found->rule = verdict->rule;
}

static __always_inline void tm_find_key(struct tm_found *found, void *keys, u32 kind, u64 head, u64 tail)
{
	const struct tm_rule_key key = {.kind = kind, .value = {head, tail}};
	const struct tm_key_verdict *verdict = bpf_map_lookup_elem(keys, &key);

	if (verdict)
		tm_find(found, verdict);
}

static __always_inline void tm_find_prefix(struct tm_found *found, u32 index, u64 head, u64 tail)
{
	void *prefixes = bpf_map_lookup_elem(&tm_rule_prefixes, &index);
	struct tm_prefix_key key = {.bits = 8 * TM_COMM_LEN};
	const struct tm_key_verdict *verdict;

	if (!prefixes)
		return;
	__builtin_memcpy(key.name, &head, sizeof(head));
	__builtin_memcpy(key.name + sizeof(head), &tail, sizeof(tail));
	verdict = bpf_map_lookup_elem(prefixes, &key);
	if (verdict)
		tm_find(found, verdict);
}

static __always_inline void tm_find_crossed(struct tm_found *found, const struct tm_rule_set *set, u32 crossed)
{
	for (u32 i = 0; i < TM_MAX_THRESHOLDS; i++)
		if (crossed & 1u << i)
			tm_find(found, &set->thresholds[i].verdict);
}

static __always_inline void tm_find_terms(struct tm_found *found, const struct tm_rule_set *set)
{
	for (u32 i = 0; i < TM_MAX_TERMS && i < set->term_count; i++) {
		const struct tm_term *term = &set->terms[i];

		if ((found->tests & term->yes) == term->yes && !(found->tests & term->no) && term->rule < found->rule)
			found->rule = term->rule;
	}
}

u64 tm_match(u64 name_head, u64 name_tail, u64 cgroup_id, u64 set_and_uid, u64 facts)
{
	struct tm_found found = {.rule = TM_NO_RULE};
	u32 index = set_and_uid >> 32 & 1;
	const struct tm_rule_set *set = &tm_rules.sets[index];
	void *keys = set->keys ? bpf_map_lookup_elem(&tm_rule_keys, &index) : NULL;

	if (keys && set->keys & 1 << TM_KEY_COMM)
		tm_find_key(&found, keys, TM_KEY_COMM, name_head, name_tail);
	if (keys && set->keys & 1 << TM_KEY_UID)
		tm_find_key(&found, keys, TM_KEY_UID, (u32)set_and_uid, 0);
	if (keys && set->keys & 1 << TM_KEY_CGROUP)
		tm_find_key(&found, keys, TM_KEY_CGROUP, cgroup_id, 0);
	if (set->prefixes)
		tm_find_prefix(&found, index, name_head, name_tail);
	if (facts & TM_TASK_KTHREAD)
		tm_find(&found, &set->kthread);
	if (facts & TM_TASK_TCP_USED)
		tm_find(&found, &set->tcp_used);
	if (facts & TM_TASK_UDP_USED)
		tm_find(&found, &set->udp_used);
	if (facts >> TM_FACT_CROSSED_SHIFT)
		tm_find_crossed(&found, set, facts >> TM_FACT_CROSSED_SHIFT);
	tm_find_terms(&found, set);
	return found.rule;
}

u64 tm_owner_at(u64 task)
{
	struct task_struct *t = (struct task_struct *)task;
	const struct cred *cred = BPF_CORE_READ(t, real_cred);

	return BPF_CORE_READ(cred, euid.val) | (BPF_CORE_READ(t, flags) & PF_KTHREAD ? 1ull << 32 : 0);
}

u64 tm_cgroup_at(u64 task)
{
	struct task_struct *t = (struct task_struct *)task;

	return BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id);
}

static __always_inline void tm_set_verdict(struct tm_task *st, u32 verdict, u32 at)
{
	struct tm_decision *d = &st->decision;

	/* Threads that were left out are idle as far as the iterator knows: it must look at them again. */
	if (d->verdict == TM_VERDICT_UNWANTED && verdict != TM_VERDICT_UNWANTED && st->counted)
		__sync_fetch_and_add(&tm_promotions, 1);
	d->verdict = verdict;
	d->at = at;
	d->decided_ns = bpf_ktime_get_boot_ns();
}

static __always_inline u32 tm_look_up(struct tm_task *st, u32 index)
{
	u64 facts = st->used | (u64)st->crossed << TM_FACT_CROSSED_SHIFT, owner = 0;
	u32 matters = tm_rules.sets[index].matters;

	if (matters & (TM_FACT_OWNER | TM_FACT_KTHREAD))
		owner = tm_owner_at(st->task);
	if (owner >> 32)
		facts |= TM_TASK_KTHREAD;
	st->uid = owner;
	st->cgroup_id = matters & TM_FACT_CGROUP ? tm_cgroup_at(st->task) : 0;
	return tm_match(st->name[0], st->name[1], st->cgroup_id, (u64)index << 32 | (u32)owner, facts);
}

TM_GLOBAL(tm_decide, at)
{
	struct tm_task *st = TM_GLOBAL_TASK;
	u32 index = tm_rules_index(), changes;
	const struct tm_rule_set *set = &tm_rules.sets[index];

	if (!st || !tm_claim(&st->deciding))
		return 0;
	changes = *(volatile u32 *)&st->changes;
	if (!st->named)
		tm_note_name(st, ((struct task_struct *)st->task)->comm);
	if (st->thresholds_id != set->thresholds_id) {
		st->thresholds_id = set->thresholds_id;
		st->crossed = 0;
	}
	st->decision.rule = tm_look_up(st, index);
	st->decision.seq++;
	st->decision.rules_version = set->version;
	tm_set_verdict(st, tm_verdict_of(set, st->decision.rule), at);
	st->generation = set->generation;
	st->changes_decided = changes;
	*(volatile u32 *)&st->deciding = 0;
	return 0;
}

/* TM_DECIDED_NEVER: the decision still holds, as far as events tell. */
static __always_inline u32 tm_out_of_date(const struct tm_task *st)
{
	if (!st->generation)
		return TM_DECIDED_START;
	if (st->generation != tm_rules_in_force()->generation)
		return TM_DECIDED_RULES;
	return st->changes != st->changes_decided ? st->changed_at : TM_DECIDED_NEVER;
}

/* What no event tells, if it matters, makes an event. Of a decision under these rules. */
static __always_inline void tm_compare(struct tm_task *st)
{
	const struct tm_rule_set *set = tm_rules_in_force();

	if (st->generation != set->generation)
		return;
	if (set->matters & TM_FACT_OWNER && st->uid != (u32)tm_owner_at(st->task))
		tm_note_change(st, TM_DECIDED_OWNER);
	if (set->matters & TM_FACT_CGROUP && st->cgroup_id != tm_cgroup_at(st->task))
		tm_note_change(st, TM_DECIDED_CGROUP);
}

/* Pending, answered before, or made by a threshold: it then holds until user space takes it back. */
static __always_inline bool tm_is_for_user(const struct tm_decision *d)
{
	return d->verdict == TM_VERDICT_PENDING || d->at == TM_DECIDED_USER || d->at == TM_DECIDED_THRESHOLD;
}

/* What is told of connections comes first: it makes another decision, which the answer then does not fit. */
static __always_inline void tm_take_answer(struct tm_task *st)
{
	struct tm_process_key key = {.start_ns = st->process_start_ns, .tgid = st->tid};
	struct tm_user_verdict *answer = bpf_map_lookup_elem(&tm_verdicts, &key);
	u32 verdict;

	if (!answer)
		return;
	st->flags |= answer->used & TM_USED_FLAGS;
	tm_join_use(st, answer->used);
	verdict = answer->wanted ? TM_VERDICT_WANTED : TM_VERDICT_UNWANTED;
	if (answer->seq != st->decision.seq || st->decision.verdict == verdict || !tm_is_for_user(&st->decision))
		return;
	if (!answer->wanted)
		st->crossed = 0;
	tm_set_verdict(st, verdict, TM_DECIDED_USER);
}

TM_GLOBAL(tm_refresh, compare)
{
	struct tm_task *st = TM_GLOBAL_TASK;
	u32 at;

	if (!st)
		return 0;
	if (compare)
		tm_compare(st);
	at = tm_out_of_date(st);
	if (at != TM_DECIDED_NEVER)
		tm_decide(st, at);
	if (tm_verdicts_waiting)
		tm_take_answer(st);
	return 0;
}

/* Comes in the context of whoever moves the task, after all threads of a process that is moved as a whole have gone. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(tm_cgroup_attach, void *cgroup, const char *path, struct task_struct *t)
{
	struct tm_task *st;

	if (!tm_rules_given() || t->exit_state)
		return 0;
	st = tm_task_get(t->group_leader);
	if (st)
		tm_refresh(st, true);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
