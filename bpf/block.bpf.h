/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Longest block request per submitter. Requests complete in someone else's context, where the submitter's task
 * storage is out of reach: only its number is known, and looking tasks up by number needs a kfunc (6.2). So the
 * maxima of tasks that submit requests live in a hash of their own, tm_io: made at submission (process context),
 * updated at completion, merged into the task's record by the iterator, removed with its final record. A completion
 * that finds no entry, or one of a later task at the same address, belongs to a task that is gone.
 *
 * Completions of one submitter may run on several CPUs at once. A maximum and its epoch share one 64-bit word that is
 * replaced by compare-and-swap; 48 bits of ns are 3 days, and the iterator clears what it has reported, so that the
 * epoch's low 16 bits are enough.
 */
#ifndef TASKMON_BLOCK_BPF_H
#define TASKMON_BLOCK_BPF_H

#include "storage.bpf.h"

enum {
	TM_IO_VALUE_BITS = 48,
	TM_IO_TRIES = 4,	/* at the compare-and-swap: each loss means that another completion won */
};

struct tm_io_window {
	u64 word;		/* epoch << 48 | ns */
	u64 at_ns;
	u32 cpu;
	u32 device;
};

struct tm_io_entry {
	u64 made_ns;		/* of the task's struct tm_task */
	struct tm_io_window windows[2];
};

struct tm_request {
	u64 since_ns;
	u64 task;		/* key of tm_io */
	u64 task_made_ns;
	u32 tid;
	u32 pad;
};

struct tm_io_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);	/* ProbeOptions.block_requests */
	__type(key, u64);		/* address of the task_struct */
	__type(value, struct tm_io_entry);
};

struct tm_requests_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);	/* ProbeOptions.block_requests */
	__type(key, u64);		/* address of the request */
	__type(value, struct tm_request);
};

extern struct tm_io_map tm_io SEC(".maps");
extern struct tm_requests_map tm_requests SEC(".maps");

static __always_inline u64 tm_io_epoch_bits(u32 epoch)
{
	return (u64)epoch << TM_IO_VALUE_BITS;
}

static __always_inline bool tm_io_is_of(u64 word, u32 epoch)
{
	return word && word >> TM_IO_VALUE_BITS == (epoch & 0xffff);
}

static __always_inline void tm_io_read(const struct tm_io_window *w, u32 epoch, struct tm_max *into)
{
	u64 word = w->word, value_ns = word & ((1ull << TM_IO_VALUE_BITS) - 1);

	if (!tm_io_is_of(word, epoch) || value_ns <= into->value_ns)
		return;
	into->value_ns = value_ns;
	into->at_ns = w->at_ns;
	into->cpu = w->cpu;
	into->witness = w->device;
}

static __always_inline struct tm_io_entry *tm_io_find_at(u64 task)
{
	return bpf_map_lookup_elem(&tm_io, &task);
}

static __always_inline struct tm_io_entry *tm_io_find(struct task_struct *t)
{
	return tm_io_find_at((u64)t);
}

static __always_inline void tm_io_take_last(struct task_struct *t, u32 epoch, bool closed_too, struct tm_max *into)
{
	struct tm_io_entry *entry = tm_io_find(t);

	if (!entry)
		return;
	tm_io_read(&entry->windows[epoch & 1], epoch, into);
	if (closed_too)
		tm_io_read(&entry->windows[(epoch - 1) & 1], epoch - 1, into);
}

static __always_inline void tm_io_forget(struct task_struct *t)
{
	u64 key = (u64)t;

	bpf_map_delete_elem(&tm_io, &key);
}

#endif
