/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The one place where the kernel side (BPF) and taskmond meet: plain C, compiled as C, C++ and BPF.
 *
 * Every record starts with struct tm_record_header. Times are CLOCK_BOOTTIME ns. Enum values are permanent within a
 * build only (both sides are built together), yet append-only so that diffs stay readable.
 */
#ifndef TASKMON_ABI_H
#define TASKMON_ABI_H

#ifdef __bpf__
typedef signed int __s32;
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef signed long long __s64;
typedef unsigned long long __u64;
#else
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define TM_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define TM_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

enum {
	TM_COMM_LEN = 16,
	TM_PATH_LEN = 256,	/* of an executed file, NUL included */
	TM_ARGS_LEN = 1024,	/* of a command line as it lies in memory, NULs between */
};

/* Hooks are attached and detached by group. */
enum tm_hook_group {
	TM_HOOKS_LIFECYCLE = 0,		/* fork, exec, rename, exit: always attached */
	TM_HOOKS_SCHED = 1,		/* sched_switch */
	TM_HOOKS_SIGNAL = 2,		/* signal_deliver */
	TM_HOOKS_SYSCALL = 3,		/* sys_exit: the dearest */
	TM_HOOKS_OOM = 4,		/* mark_victim */
	TM_HOOKS_PAGE_CACHE = 5,	/* adds and dirties */
	TM_HOOKS_PAGE_CACHE_LOOKUP = 6,	/* lookups */
	TM_HOOKS_BLOCK = 7,		/* block requests */
	TM_HOOKS_NET = 8,		/* socket bytes */
	TM_HOOKS_CONNECT = 9,		/* connections made */
	TM_HOOK_GROUP_MAX = 10,
};

/* Counters of one task since it was born (kernel-kept) or since the hook was attached (hook-kept). */
enum tm_counter {
	/* kept by the kernel, read by the iterator and at death */
	TM_C_RUNTIME_NS = 0,
	TM_C_UTIME_NS = 1,		/* tick-sampled: only the ratio utime:stime is of use */
	TM_C_STIME_NS = 2,
	TM_C_MIN_FLT = 3,
	TM_C_MAJ_FLT = 4,
	TM_C_NVCSW = 5,
	TM_C_NIVCSW = 6,
	TM_C_RUN_DELAY_NS = 7,
	TM_C_MIGRATIONS = 8,
	TM_C_RCHAR = 9,
	TM_C_WCHAR = 10,
	TM_C_SYSCR = 11,
	TM_C_SYSCW = 12,
	TM_C_READ_BYTES = 13,
	TM_C_WRITE_BYTES = 14,
	TM_C_CANCELLED_WRITE_BYTES = 15,
	/* kept by our hooks in the task's storage */
	TM_C_HOOKED = 16,		/* the first of them */
	TM_C_OFFCPU_NS = 16,		/* closed off-CPU intervals */
	TM_C_IOWAIT_NS = 17,
	TM_C_FORKS = 18,
	TM_C_THREADS = 19,
	TM_C_EXECS = 20,
	TM_C_SIGNALS = 21,
	TM_C_SYSCALL_FAILS = 22,
	TM_C_OOM_KILLS = 23,
	TM_C_PAGE_CACHE_ADDS = 24,
	TM_C_PAGE_CACHE_DIRTIES = 25,
	TM_C_PAGE_CACHE_LOOKUPS = 26,
	TM_C_NET_TX = 27,
	TM_C_NET_RX = 28,
	TM_C_UNIX_TX = 29,
	TM_C_UNIX_RX = 30,
	TM_C_CONNECTS = 31,
	TM_C_MAX = 32,
};

/* Largest value inside one epoch, with its witness. */
enum tm_maximum {
	TM_M_OFFCPU_NS = 0,	/* witness: tid that took the CPU when preempted, else 0 */
	TM_M_RUNQ_NS = 1,	/* witness: tid that ran before it on that CPU */
	TM_M_IOWAIT_NS = 2,
	TM_M_IO_REQUEST_NS = 3,	/* witness: device number (major << 20 | minor) */
	TM_M_MAX = 4,
};

struct tm_max {
	__u64 value_ns;
	__u64 at_ns;		/* when it ended */
	__u32 cpu;
	__u32 witness;
};

/* What a process has for all its threads. */
enum tm_process_gauge {
	TM_P_VM_BYTES = 0,
	TM_P_RSS_FILE_BYTES = 1,
	TM_P_RSS_ANON_BYTES = 2,
	TM_P_RSS_SHMEM_BYTES = 3,
	TM_P_SWAP_BYTES = 4,
	TM_P_RSS_PEAK_BYTES = 5,
	TM_P_FD_COUNT = 6,
	TM_P_FD_LIMIT = 7,
	TM_P_THREADS = 8,
	TM_P_MAX = 9,
};

enum tm_record_kind {
	TM_RECORD_TASK = 1,	/* iterator: struct tm_task_record */
	TM_RECORD_FINAL = 2,	/* ring: struct tm_task_record at the end of a task */
	TM_RECORD_FORK = 3,	/* ring: struct tm_fork_record */
	TM_RECORD_EXEC = 4,	/* ring: struct tm_exec_record */
	TM_RECORD_RENAME = 5,	/* ring: struct tm_rename_record */
	TM_RECORD_OOM = 6,	/* ring: struct tm_oom_record */
	TM_RECORD_KIND_MAX = 7,
};

struct tm_record_header {
	__u32 size;		/* bytes of the whole record, header included */
	__u16 kind;		/* enum tm_record_kind */
	__u16 cpu;
	__u64 time_ns;
};

/* Which parts of a tm_task_record could be read. */
enum tm_valid {
	TM_VALID_MM = 1 << 0,		/* the memory gauges; kernel threads have none */
	TM_VALID_FILES = 1 << 1,	/* TM_P_FD_COUNT */
	TM_VALID_STORAGE = 1 << 2,	/* hook-kept counters, maxima, off_since */
	TM_VALID_SIGNAL = 1 << 3,	/* dead[], TM_P_FD_LIMIT, TM_P_THREADS, TM_P_RSS_PEAK_BYTES */
	TM_VALID_IO = 1 << 4,		/* the ioac counters */
};

enum tm_task_flags {
	TM_TASK_KTHREAD = 1 << 0,
	TM_TASK_LEADER = 1 << 1,
	TM_TASK_GROUP_DEAD = 1 << 2,	/* FINAL: this was the last thread of its process */
	TM_TASK_IOWAIT = 1 << 3,	/* off CPU and asleep with in_iowait */
	TM_TASK_ON_CPU = 1 << 4,
	TM_TASK_TCP_USED = 1 << 5,
	TM_TASK_UDP_USED = 1 << 6,
	TM_TASK_PREEXISTING = 1 << 7,	/* first seen by the iterator, not by fork */
	TM_TASK_CORE_DUMPED = 1 << 8,	/* FINAL */
	TM_TASK_BECAME_LEADER = 1 << 9,	/* FINAL: not dead: exec gave it its leader's number, this closes its own */
	TM_TASK_ENDED_BY_EXEC = 1 << 10,	/* FINAL: another thread of its process had called exec */
	TM_TASK_SUCCESSOR = 1 << 11,	/* goes by its old leader's number and start time, since an exec */
	TM_TASK_END_TOLD = 1 << 12,	/* FINAL: its own end was told before, now that of its process is */
};

struct tm_identity {
	__s32 tid;
	__s32 tgid;
	__u64 start_ns;
	__u64 process_start_ns;		/* of the group leader */
};

/* WANTED is also where no rules were ever given. */
enum tm_verdict {
	TM_VERDICT_WANTED = 0,
	TM_VERDICT_PENDING = 1,	 /* user space must say; sent until it does */
	TM_VERDICT_UNWANTED = 2, /* a rule drops it, or none can want it */
};

/* The event that a decision was made at. */
enum tm_decided_at {
	TM_DECIDED_NEVER = 0,
	TM_DECIDED_START = 1, /* it lived when it was first looked at */
	TM_DECIDED_FORK = 2,  /* inherited, or decided anew where owner or cgroup differ from the parent's */
	TM_DECIDED_EXEC = 3,
	TM_DECIDED_RENAME = 4,
	TM_DECIDED_OWNER = 5,
	TM_DECIDED_CGROUP = 6,
	TM_DECIDED_CONNECTION = 7, /* first use of TCP or UDP */
	TM_DECIDED_THRESHOLD = 8,
	TM_DECIDED_USER = 9,   /* user space has answered */
	TM_DECIDED_RULES = 10, /* there are new rules */
};

enum { TM_NO_RULE = 0xffffffffu };

/* What the kernel side decided of a process; its threads carry a copy. */
struct tm_decision {
	__u32 rule;	     /* RuleRef: the first rule that the kernel side can see matching, TM_NO_RULE: none */
	__u32 seq;	     /* another one with each decision of a process; user space's answer names it */
	__u32 rules_version; /* KernelRules.version */
	__u8 verdict;	     /* enum tm_verdict */
	__u8 at;	     /* enum tm_decided_at */
	__u8 pad[2];
	__u64 decided_ns;
};

/* One task at one tick, or its end. */
struct tm_task_record {
	struct tm_record_header header;
	struct tm_identity id;
	__s32 ppid;			/* tgid of the real parent */
	__u32 uid;			/* effective, initial user namespace */
	__u32 gid;
	__u32 flags;			/* enum tm_task_flags */
	__u32 valid;			/* enum tm_valid */
	__s32 nice;
	__s32 priority;			/* prio - 100 */
	__u32 cpu;
	__u64 cgroup_id;		/* cgroup v2 */
	__u64 off_since_ns;		/* 0: on CPU or unknown */
	__u32 off_witness;
	__s32 exit_code;		/* FINAL: wait(2) status: code << 8 | signal; the group's for the last thread */
	__u32 epoch;			/* the window that maxima belong to */
	char state;			/* R S D T t Z X I P; FINAL: X */
	char pad[3];
	char comm[TM_COMM_LEN];
	__u64 counters[TM_C_MAX];
	struct tm_max maxima[TM_M_MAX];
	__u64 process[TM_P_MAX];
	/* Sums over the process's dead threads. FINAL: as of the task's exit, itself not among them. The kernel keeps
	 * some of them; the others are ours and complete only while unwanted tasks are left out, otherwise 0. */
	__u64 dead[TM_C_MAX];
	__u64 accounted_ns; /* that much of TM_C_RUNTIME_NS was in earlier records, was counted as left out, or
			     * was spent before we first saw the task */
	struct tm_decision decision;
};

struct tm_fork_record {
	struct tm_record_header header;
	struct tm_identity id;		/* of the child */
	__s32 parent_tid;
	__s32 parent_tgid;		/* tgid of the child's real parent */
	__u32 uid;
	__u32 gid;
	__u32 flags;			/* enum tm_task_flags */
	__u32 pad;
	__u64 cgroup_id;
	char comm[TM_COMM_LEN];		/* still the parent's */
	struct tm_decision decision;
};

struct tm_exec_record {
	struct tm_record_header header;	/* size covers only the bytes of args in use */
	struct tm_identity id;
	__s32 old_tid;			/* differs from id.tid when a thread other than the leader called exec */
	__s32 ppid;
	__u32 uid;
	__u32 gid;
	__u64 cgroup_id;
	char comm[TM_COMM_LEN];
	struct tm_decision decision;
	__u32 args_len;			/* bytes in args; equal to TM_ARGS_LEN when cut */
	__u32 args_total;		/* length of the whole command line */
	char filename[TM_PATH_LEN];
	char args[TM_ARGS_LEN];
};

struct tm_rename_record {
	struct tm_record_header header;
	struct tm_identity id;
	char old_comm[TM_COMM_LEN];
	char comm[TM_COMM_LEN];
	struct tm_decision decision;
};

struct tm_oom_record {
	struct tm_record_header header;
	struct tm_identity id;
	char comm[TM_COMM_LEN];
};

/* What was turned away, summed over CPUs by user space. Index of a per-CPU array. */
enum tm_drop {
	TM_DROP_RING_FINAL = 0,		/* ring buffer full, by kind of record */
	TM_DROP_RING_FORK = 1,
	TM_DROP_RING_EXEC = 2,
	TM_DROP_RING_RENAME = 3,
	TM_DROP_RING_OOM = 4,
	TM_DROP_STORAGE = 5,		/* task storage could not be made; tried again at exec, exit, in a pass */
	TM_DROP_BLOCK_MAP = 6,		/* too many block requests in flight */
	TM_DROP_LIFE = 7,		/* nor at exit: a life without final record */
	TM_DROP_VERDICT = 8,		/* user space's verdict: too many between two passes */
	TM_DROP_PROCESS = 9,		/* sums over threads: too many processes with threads */
	TM_DROP_MAX = 10,
};

TM_STATIC_ASSERT(sizeof(struct tm_record_header) == 16, "tm_record_header");
TM_STATIC_ASSERT(sizeof(struct tm_identity) == 24, "tm_identity");
TM_STATIC_ASSERT(sizeof(struct tm_max) == 24, "tm_max");
TM_STATIC_ASSERT(sizeof(struct tm_task_record) % 8 == 0, "tm_task_record is read as an array");
TM_STATIC_ASSERT(sizeof(struct tm_fork_record) == 112, "tm_fork_record");

#endif
