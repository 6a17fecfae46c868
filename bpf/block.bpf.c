// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Time of block requests, from submission to completion, billed to who submitted them. See block.bpf.h. */
#include "block.bpf.h"

static __always_inline bool tm_io_register(u64 task, struct tm_task *st)
{
	struct tm_io_entry entry = {.made_ns = st->made_ns};

	if (st->uses_block)
		return true;
	if (bpf_map_update_elem(&tm_io, &task, &entry, BPF_ANY)) {
		tm_count_drop(TM_DROP_BLOCK_MAP);
		return false;
	}
	st->uses_block = 1;
	return true;
}

static __always_inline void tm_request_started(struct request *rq)
{
	struct tm_request request = {.task = bpf_get_current_task()};
	struct tm_task *st = tm_current_get();
	u64 key = (u64)rq;

	if (!st || st->finished || !tm_io_register(request.task, st))
		return;
	request.task_made_ns = st->made_ns;
	request.tid = st->tid;
	request.since_ns = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&tm_requests, &key, &request, BPF_ANY))
		tm_count_drop(TM_DROP_BLOCK_MAP);
}

/* True: the maximum is ours, its witness is for us to write. */
static __always_inline bool tm_io_raise(struct tm_io_window *w, u32 epoch, u64 word)
{
	for (int i = 0; i < TM_IO_TRIES; i++) {
		u64 before = w->word;

		if (tm_io_is_of(before, epoch) && before >= word)
			return false;
		if (tm_replace(&w->word, before, word))
			return true;
	}
	return false;
}

static __always_inline void tm_io_completed(struct request *rq, const struct tm_request *request)
{
	struct tm_io_entry *entry = bpf_map_lookup_elem(&tm_io, &request->task);
	u64 now = bpf_ktime_get_boot_ns(), word = now - request->since_ns;
	u32 epoch = tm_epoch;
	struct tm_io_window *w;

	if (!entry || entry->made_ns != request->task_made_ns)
		return;
	if (word >> TM_IO_VALUE_BITS)
		word = (1ull << TM_IO_VALUE_BITS) - 1;
	w = &entry->windows[epoch & 1];
	if (!tm_io_raise(w, epoch, tm_io_epoch_bits(epoch) | word))
		return;
	w->at_ns = now;
	w->cpu = bpf_get_smp_processor_id();
	w->device = tm_request_device(rq);
	tm_touch(request->tid);
}

static __always_inline void tm_request_done(struct request *rq)
{
	u64 key = (u64)rq;
	struct tm_request *request = bpf_map_lookup_elem(&tm_requests, &key);

	if (!request)
		return;
	tm_io_completed(rq, request);
	bpf_map_delete_elem(&tm_requests, &key);
}

SEC("tp_btf/block_io_start")
int BPF_PROG(tm_block_io_start, struct request *rq)
{
	tm_request_started(rq);
	return 0;
}

SEC("tp_btf/block_io_done")
int BPF_PROG(tm_block_io_done, struct request *rq)
{
	tm_request_done(rq);
	return 0;
}

/*
 * Before 6.5: the scheduler's insertion or the issue to the device, whichever comes first. Mostly still the submitter's
 * context, but requests that a kworker issues are billed to the kworker.
 */
static __always_inline void tm_request_seen(struct request *rq)
{
	u64 key = (u64)rq;

	if (!bpf_map_lookup_elem(&tm_requests, &key))
		tm_request_started(rq);
}

SEC("tp_btf/block_rq_insert")
int BPF_PROG(tm_block_rq_insert, struct request *rq)
{
	tm_request_seen(rq);
	return 0;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(tm_block_rq_issue, struct request *rq)
{
	tm_request_seen(rq);
	return 0;
}

/* Comes for parts of a request too; the last part leaves nothing over. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(tm_block_rq_complete, struct request *rq, int error, unsigned int bytes)
{
	if (bytes >= rq->__data_len)
		tm_request_done(rq);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
