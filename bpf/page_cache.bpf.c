// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Page cache: pages added, dirtied and looked up in the task's own context. */
#include "storage.bpf.h"

/* page * up to 5.15, folio * after: not looked at. */
SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(tm_page_cache_add)
{
	tm_current_add(TM_C_PAGE_CACHE_ADDS, 1);
	return 0;
}

SEC("tp_btf/writeback_dirty_folio")
int BPF_PROG(tm_page_cache_dirty_folio)
{
	tm_current_add(TM_C_PAGE_CACHE_DIRTIES, 1);
	return 0;
}

/* The same before 5.18. */
SEC("tp_btf/writeback_dirty_page")
int BPF_PROG(tm_page_cache_dirty_page)
{
	tm_current_add(TM_C_PAGE_CACHE_DIRTIES, 1);
	return 0;
}

/*
 * `last` is the last page of the whole read, `index` the first that this batch wants: a long read comes here once per
 * batch, with the same `last`. Within one read(2) the task's syscr count stands still, which tells a later batch from a
 * new read of the same range.
 */
static __always_inline bool tm_is_later_batch(const struct tm_lookup *before, const struct tm_lookup *now)
{
	return before->mapping == now->mapping && before->last == now->last && before->syscr == now->syscr;
}

SEC("tp_btf/mm_filemap_get_pages")
int BPF_PROG(tm_page_cache_lookup, void *mapping, unsigned long index, unsigned long last)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct tm_task *st = tm_task_get(t);
	struct tm_lookup now = {.mapping = (u64)mapping, .last = last};

	if (!st || last < index)
		return 0;
	if (tm_has_io_accounting())
		now.syscr = t->ioac.syscr;
	if (tm_is_later_batch(&st->lookup, &now))
		return 0;
	st->lookup = now;
	st->hooked[TM_C_PAGE_CACHE_LOOKUPS - TM_C_HOOKED] += last - index + 1;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
