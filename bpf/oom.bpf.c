// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Victims of the OOM killer. The tracepoint runs in the context of whoever ran out of memory. Its argument changed from
 * the victim's number to its task in 2024, also in stable kernels, hence two programs, chosen by BTF.
 */
#include "record.bpf.h"

SEC("tp_btf/mark_victim")
int BPF_PROG(tm_mark_victim_task, struct task_struct *t)
{
	struct tm_task *st = tm_task_get(t);
	struct tm_oom_record *r;

	if (st)
		__sync_fetch_and_add(&st->hooked[TM_C_OOM_KILLS - TM_C_HOOKED], 1);
	tm_touch(t->pid);
	r = tm_ring_reserve(sizeof(*r), TM_RECORD_OOM, TM_DROP_RING_OOM);
	if (!r)
		return 0;
	tm_fill_identity(&r->id, t);
	bpf_probe_read_kernel(r->comm, sizeof(r->comm), t->comm);
	tm_ring_submit(r);
	return 0;
}

/* No way from the number to the task: the count comes from signal->oom_mm (tm_oom_from_signal). */
SEC("tp_btf/mark_victim")
int BPF_PROG(tm_mark_victim_tid, int tid)
{
	struct tm_oom_record *r = tm_ring_reserve(sizeof(*r), TM_RECORD_OOM, TM_DROP_RING_OOM);

	if (!r)
		return 0;
	__builtin_memset(&r->id, 0, sizeof(r->id));
	__builtin_memset(r->comm, 0, sizeof(r->comm));
	r->id.tid = tid;
	r->id.tgid = tid;
	tm_ring_submit(r);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
