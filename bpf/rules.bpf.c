// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Looking rules up: one look-up for each kind of key, however many keys there are. And the move to another cgroup. */
#include "thresholds.bpf.h"

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

u64 tm_crossed(u32 set, u32 looker)
{
	const struct tm_rule_set *rules = &tm_rules.sets[set & 1];
	const struct tm_look *look = bpf_map_lookup_elem(&tm_looks, &looker);
	u64 crossed = 0;

	if (!look)
		return 0;
	for (u32 i = 0; i < TM_MAX_THRESHOLDS && i < rules->threshold_count; i++) {
		u32 value = rules->thresholds[i].value;

		if (value < TM_VALUES && look->values[value] > rules->thresholds[i].limit)
			crossed |= 1u << i;
	}
	return crossed;
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

/* Comes in the context of whoever moves the task, after all threads of a process that is moved as a whole have gone. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(tm_cgroup_attach, void *cgroup, const char *path, struct task_struct *t)
{
	struct tm_task *st;

	if (!tm_rules_given() || t->exit_state)
		return 0;
	st = tm_task_get(t->group_leader);
	if (!st)
		return 0;
	tm_compare(st);
	tm_refresh(st);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
