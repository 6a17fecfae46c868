/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How the rules lie in the kernel: written by rule_maps.cc, read by rules.bpf.c. Plain C, compiled as C++ and BPF.
 * What they mean is said in kernel_rules.h.
 *
 * There are two sets, one of them in force. A new one is laid into the other and then put in force by one store, so
 * that no event sees half a set; a set is touched again only after everybody who may still read it is gone.
 *
 *     tm_rules.active ──► sets[0 | 1]             globals, thresholds, terms
 *                    └──► tm_rule_keys[0 | 1]     hash: names, owners and cgroups, each made for its set
 *                    └──► tm_rule_prefixes[0 | 1] LPM trie of names
 */
#ifndef TASKMON_RULES_ABI_H
#define TASKMON_RULES_ABI_H

#include "taskmon_abi.h"

enum {
	TM_RULE_SETS = 2,
	TM_MAX_TERMS = 64,
	TM_MAX_THRESHOLDS = 16,
	TM_MAX_VERDICTS = 16384, /* of user space, between two passes */
	TM_SENT_SLOTS = 1 << 18, /* of tm_sent, by the low bits of the tid */
};

enum tm_rule_key_kind {
	TM_KEY_COMM = 1,
	TM_KEY_UID = 2,
	TM_KEY_CGROUP = 3,
};

struct tm_rule_key {
	__u32 kind; /* enum tm_rule_key_kind */
	__u32 pad;
	__u64 value[2]; /* comm, padded with zeros; or a number and 0 */
};

struct tm_prefix_key {
	__u32 bits;
	__u8 name[TM_COMM_LEN];
};

struct tm_key_verdict {
	__u32 rule; /* RuleRef */
	__u32 pad;
	__u64 tests;
};

/* What a threshold may be over: totals and rates of the hook-kept counters, and maxima. */
enum tm_value {
	TM_VALUE_TOTAL = 0,
	TM_VALUE_RATE = TM_C_MAX - TM_C_HOOKED,
	TM_VALUE_MAXIMUM = 2 * TM_VALUE_RATE,
	TM_VALUES = TM_VALUE_MAXIMUM + TM_M_MAX,
};

struct tm_threshold {
	__u32 value; /* enum tm_value, and which of it */
	__u32 pad;
	__u64 limit;
	struct tm_key_verdict verdict;
};

struct tm_term {
	__u64 yes;
	__u64 no;
	__u32 rule;
	__u32 pad;
};

enum tm_fact {
	TM_FACT_OWNER = 1 << 0,
	TM_FACT_CGROUP = 1 << 1,
	TM_FACT_KTHREAD = 1 << 2,
};

struct tm_rule_set {
	__u32 generation; /* 1, 2, …: one more with each set; 0: none was ever given */
	__u32 version;	  /* as user space calls it */
	__u32 send_unwanted;
	__u32 first_user_rule;
	__u32 keys;    /* bit 1 << kind: tm_rule_keys has entries of that kind */
	__u32 matters; /* enum tm_fact: what is worth reading, and another decision when it changes */
	__u32 prefixes;
	__u32 thresholds_id; /* same number, same thresholds: what was crossed stays crossed */
	__u32 threshold_count;
	__u32 term_count;
	struct tm_key_verdict kthread;
	struct tm_key_verdict tcp_used;
	struct tm_key_verdict udp_used;
	struct tm_threshold thresholds[TM_MAX_THRESHOLDS];
	struct tm_term terms[TM_MAX_TERMS];
};

struct tm_rules {
	__u32 active;	     /* 0 or 1 */
	__u32 watched_since; /* the epoch since which there have been thresholds without a break */
	struct tm_rule_set sets[TM_RULE_SETS];
};

/* What user space tells of a process. Read by the next pass, then removed. */
struct tm_process_key {
	__u64 start_ns;
	__s32 tgid;
	__u32 pad;
};

struct tm_user_verdict {
	__u32 seq; /* the decision it answers; 0: none */
	__u32 wanted;
	__u32 used; /* TM_TASK_TCP_USED, TM_TASK_UDP_USED: connections that hooks came too late for */
};

/* What was left out because no rule wants it. Index of a per-CPU array. */
enum tm_left_out {
	TM_LEFT_OUT_LIVES = 0,	 /* final records */
	TM_LEFT_OUT_RECORDS = 1, /* of fork, exec and rename */
	TM_LEFT_OUT_LIVE_NS = 2, /* CPU time, as passes came by */
	TM_LEFT_OUT_DEAD_NS = 3, /* the rest of it, at the end of those lives */
	TM_LEFT_OUT_MAX = 4,
};

TM_STATIC_ASSERT(sizeof(struct tm_rule_key) == 24, "tm_rule_key is a key without holes");
TM_STATIC_ASSERT(sizeof(struct tm_prefix_key) == 20, "tm_prefix_key is a key without holes");
TM_STATIC_ASSERT(sizeof(struct tm_process_key) == 16, "tm_process_key is a key without holes");

#endif
