/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel structs that we read, cut down to the members that we read, and the kernel's own constants.
 *
 * Order and size mean nothing here: every access is relocated against the running kernel's BTF when the object is
 * loaded. Members that some kernels have under another name or type are in core_fixes.bpf.h.
 */
#ifndef TASKMON_KERNEL_TYPES_BPF_H
#define TASKMON_KERNEL_TYPES_BPF_H

#include "taskmon_abi.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { false = 0, true = 1 };

#define NULL ((void *)0)

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
	BPF_RINGBUF_HDR_SZ = 8,
};

/* include/linux/sched.h */
enum {
	TASK_RUNNING = 0x0,
	TASK_UNINTERRUPTIBLE = 0x2,
	TASK_DEAD = 0x80,
	TASK_NOLOAD = 0x400,
	TASK_IDLE = TASK_UNINTERRUPTIBLE | TASK_NOLOAD,
	TASK_REPORT = 0x7f,		/* the bits that /proc tells */
	TASK_RTLOCK_WAIT = 0x1000,
	TASK_FROZEN = 0x8000,
	PF_IO_WORKER = 0x00000010,
	PF_KTHREAD = 0x00200000,
};

enum {
	SIGNAL_GROUP_EXIT = 0x4,	/* include/linux/sched/signal.h */
	SIGNAL_GROUP_COREDUMP = 0x8,	/* gone with 5.17 */
	CORE_DUMPED = 0x80,		/* of a wait status */
	MAX_RT_PRIO = 100,
	DEFAULT_PRIO = 120,
	RLIMIT_NOFILE = 7,
	MM_FILEPAGES = 0,		/* include/linux/mm_types_task.h */
	MM_ANONPAGES = 1,
	MM_SWAPENTS = 2,
	MM_SHMEMPAGES = 3,
	AF_UNIX = 1,
	AF_INET = 2,
	AF_INET6 = 10,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_MPTCP = 262,
	MSG_PEEK = 2,
	TCP_SYN_SENT = 2,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct list_head {
	struct list_head *next;
};

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

struct thread_info {
	u32 cpu;
};

struct sched_entity {
	u64 sum_exec_runtime;
	u64 nr_migrations;
};

struct sched_info {
	unsigned long long run_delay;
};

struct task_io_accounting {
	u64 rchar;
	u64 wchar;
	u64 syscr;
	u64 syscw;
	u64 read_bytes;
	u64 write_bytes;
	u64 cancelled_write_bytes;
};

struct rlimit {
	unsigned long rlim_cur;
};

struct signal_struct {
	atomic_t live;
	struct list_head thread_head;
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	u64 utime;
	u64 stime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	unsigned long maxrss;
	struct task_io_accounting ioac;
	unsigned long long sum_sched_runtime;
	struct rlimit rlim[16];
	struct mm_struct *oom_mm;
	struct task_struct *group_exec_task;
};

struct mm_struct {
	unsigned long hiwater_rss;
	unsigned long total_vm;
	unsigned long arg_start;
	unsigned long arg_end;
};

struct fdtable {
	unsigned int max_fds;
	unsigned long *open_fds;
};

struct files_struct {
	struct fdtable *fdt;
};

struct cred {
	kuid_t euid;
	kgid_t egid;
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	unsigned int on_cpu;		/* a byte in 7.2: only unsigned loads are shortened */
	int prio;
	int static_prio;
	struct sched_entity se;
	struct sched_info sched_info;
	struct list_head tasks;		/* of leaders */
	struct list_head thread_node;	/* in signal->thread_head */
	struct mm_struct *mm;
	int exit_state;
	int exit_code;
	unsigned in_execve : 1;
	unsigned in_iowait : 1;
	s32 pid;
	s32 tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	u64 utime;
	u64 stime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	u64 start_boottime;
	unsigned long min_flt;
	unsigned long maj_flt;
	const struct cred *real_cred;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
	struct task_io_accounting ioac;
	struct css_set *cgroups;
};

struct linux_binprm {
	const char *filename;
};

struct block_device {
	u32 bd_dev;
};

struct gendisk {
	int major;
	int first_minor;
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int __data_len;
	struct block_device *part;
};

struct sock_common {
	unsigned short skc_family;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
