// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A pass by the kernel's task iterator, which every kernel has: it calls us for each task, and again when the record did
 * not fit into its buffer. */
#include "pass.bpf.h"

/* One pass at a time, one task at a time: no need for a copy per CPU. */
static struct tm_task_record tm_out;

SEC("iter/task")
int tm_iterate(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct tm_passed passed;
	struct tm_task *st;

	if (!t || !tm_pass_has_news(&passed, t) || !tm_pass_wants(&passed, t, &st))
		return 0;
	tm_pass_fill(&tm_out, &passed, t, st);
	if (bpf_seq_write(ctx->meta->seq, &tm_out, sizeof(tm_out)))
		tm_touch(t->pid);
	else
		tm_pass_sent(&passed, t, st, tm_out.counters[TM_C_RUNTIME_NS]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
