// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * One pass over all tasks: a record for each that may have changed since it was last sent.
 *
 * Idle means: not running or runnable, no hook asked for it (tm_touch), and nothing in the fingerprint changed. A
 * task cannot run without its switch count rising, and one that runs right now is sent now and in the next pass, so
 * the fingerprint leaves CPU time out. It has what others can change: state, priority, cgroup, and for leaders the
 * process gauges. The kernel may call the program twice for a task whose record did not fit the buffer: what was sent
 * is noted only after it was.
 */
#include "block.bpf.h"
#include "group.bpf.h"
#include "record.bpf.h"
#include "split.bpf.h"

/* One pass at a time, one task at a time: no need for a copy per CPU. */
static struct tm_task_record tm_out;

/* Threads come after each other, and mostly share one table: count a table once per pass. */
static u64 tm_files_seen, tm_files_count;
static u32 tm_files_epoch;

static __always_inline u64 tm_mix(u64 hash, u64 value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ull ^ hash >> 29;
}

static __always_inline u64 tm_shared_fds(struct files_struct *files, u32 epoch)
{
	if (tm_files_seen != (u64)files || tm_files_epoch != epoch) {
		tm_files_count = tm_count_fds(files);
		tm_files_seen = (u64)files;
		tm_files_epoch = epoch;
	}
	return tm_files_count;
}

/* What other threads, or the kernel, can change of a process while its leader sleeps. */
static __always_inline u64 tm_mix_process(u64 hash, struct task_struct *t, u32 epoch)
{
	struct mm_struct *mm = t->mm;
	struct signal_struct *sig = t->signal;

	hash = tm_mix(hash, sig->nr_threads);
	if (mm) {
		hash = tm_mix(hash, mm->total_vm);
		hash = tm_mix(hash, tm_rss_pages(mm, MM_FILEPAGES) + tm_rss_pages(mm, MM_ANONPAGES) +
				    tm_rss_pages(mm, MM_SHMEMPAGES));
		hash = tm_mix(hash, tm_rss_pages(mm, MM_SWAPENTS));
	}
	if (sig->nr_threads > 1) {
		hash = tm_mix(hash, sig->sum_sched_runtime);
		if (t->files)
			hash = tm_mix(hash, tm_shared_fds(t->files, epoch));
	}
	return hash;
}

/* Never 0. */
static __always_inline u64 tm_fingerprint(struct task_struct *t, u32 state, u32 epoch)
{
	u64 hash = tm_mix(t->pid, tm_start_ns(t));

	hash = tm_mix(hash, t->nvcsw + t->nivcsw);

	hash = tm_mix(hash, (u64)state << 32 | t->exit_state);
	hash = tm_mix(hash, (u64)t->prio << 32 | (u32)t->static_prio);
	hash = tm_mix(hash, tm_cgroup_id(t));
	if (t->pid == t->tgid && !(t->flags & PF_KTHREAD))
		hash = tm_mix_process(hash, t, epoch);
	return hash | 1;
}

static __always_inline void tm_fill_maxima(struct tm_task_record *r, struct task_struct *t, struct tm_task *st,
					   u32 closed)
{
	struct tm_io_entry *entry;

	tm_take_window(r->maxima, st, closed);
	if (!st->uses_block)
		return;
	entry = tm_io_find(t);
	if (entry)
		tm_io_read(&entry->windows[closed & 1], closed, &r->maxima[TM_M_IO_REQUEST_NS]);
}

/*
 * Off the CPU since before the hook was attached: counted from now on, which is all that was seen of it. Should the task
 * be switched in right now, its next switch-out overwrites what is noted here.
 */
static __always_inline void tm_begin_off_cpu(struct task_struct *t, struct tm_task *st, u32 state)
{
	st->run_delay_ns = tm_run_delay_ns(t);
	st->off_witness = 0;
	st->off_iowait = state & TASK_REPORT && BPF_CORE_READ_BITFIELD(t, in_iowait);
	st->off_since_ns = bpf_ktime_get_boot_ns();
}

static __always_inline void tm_fill_off_cpu(struct tm_task_record *r, struct task_struct *t, struct tm_task *st,
					    u32 state)
{
	u64 since_ns = tm_sched_since_ns;

	if (since_ns == ~0ull || t->on_cpu)
		return;
	if (st->off_since_ns < since_ns && st->born_ns < since_ns)
		tm_begin_off_cpu(t, st, state);
	r->off_since_ns = st->off_since_ns;
	r->off_witness = st->off_witness;
	if (st->off_iowait && state & TASK_REPORT)
		r->flags |= TM_TASK_IOWAIT;
}

static __always_inline void tm_fill_from_storage(struct tm_task_record *r, struct task_struct *t, struct tm_task *st,
						 u32 state, u32 closed)
{
	tm_split_running(t, st, closed);
	tm_fill_hooked(r, t, st);
	tm_fill_maxima(r, t, st, closed);
	tm_fill_off_cpu(r, t, st, state);
}

static __always_inline void tm_fill_process(struct tm_task_record *r, struct task_struct *t, u32 epoch)
{
	u64 fds;

	r->valid |= tm_fill_memory(r->process, t);
	r->valid |= tm_fill_signal(r->process, r->dead, t, false);
	if (!t->files || t->flags & PF_KTHREAD)
		return;
	fds = tm_shared_fds(t->files, epoch);
	if (fds == ~0ull)
		return;
	r->process[TM_P_FD_COUNT] = fds;
	r->valid |= TM_VALID_FILES;
}

/* Ours from now on; whoever is on its way out already stays without storage and so without a final record. */
static __always_inline struct tm_task *tm_storage_of(struct task_struct *t)
{
	struct tm_task *st = t->exit_state ? tm_task_get(t) : tm_task_adopt(t);

	if (st && !st->counted && !t->exit_state && t->signal->nr_threads > 1 && tm_is_preexisting(t))
		tm_group_enter(t, st);
	return st;
}

/* Has a hook noted a maximum in the window that this pass has just opened? */
static __always_inline bool tm_has_open_maxima(struct task_struct *t, struct tm_task *st, u32 epoch)
{
	struct tm_io_entry *entry;

	if (st->window_epochs[epoch & 1] == epoch)
		return true;
	entry = st->uses_block ? tm_io_find(t) : NULL;
	return entry && tm_io_is_of(entry->windows[epoch & 1].word, epoch);
}

static __always_inline void tm_mark_sent(struct task_struct *t, struct tm_task *st, u32 closed)
{
	struct tm_io_entry *entry = st->uses_block ? tm_io_find(t) : NULL;

	st->reported_epoch = closed;
	if (entry)
		entry->windows[closed & 1].word = 0;
}

static __always_inline int tm_send(struct seq_file *seq, struct task_struct *t, struct tm_task *st, u32 state, u32 epoch)
{
	struct tm_task_record *r = &tm_out;

	__builtin_memset(r, 0, sizeof(*r));
	tm_fill_header(&r->header, sizeof(*r), TM_RECORD_TASK);
	r->epoch = epoch - 1;
	tm_fill_task(r, t);
	if (t->on_cpu)
		r->flags |= TM_TASK_ON_CPU;
	if (st)
		tm_fill_from_storage(r, t, st, state, epoch - 1);
	tm_fill_process(r, t, epoch);
	return bpf_seq_write(seq, r, sizeof(*r));
}

SEC("iter/task")
int tm_iterate(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	u32 epoch = tm_epoch, state;
	struct tm_task *st;
	u64 fingerprint, *sent;
	bool running;

	if (!t)
		return 0;
	/* Everything that idleness rests on is read before what is sent: a change in between shows in the next pass. */
	sent = tm_sent_slot(t->pid);
	if (!sent)
		return 0;	/* never: for the verifier */
	state = tm_task_state(t);
	running = !(state & ~TASK_NOLOAD) || t->on_cpu;
	fingerprint = tm_fingerprint(t, state, epoch);
	if (*sent == fingerprint && !running && !t->exit_state && !tm_send_all)
		return 0;
	st = tm_storage_of(t);
	*sent = fingerprint;	/* a hook that touches the task from here on has the last word */
	if (tm_send(ctx->meta->seq, t, st, state, epoch)) {
		*sent = 0;
		return 0;
	}
	if (st)
		tm_mark_sent(t, st, epoch - 1);
	if (!st || running || tm_has_open_maxima(t, st, epoch))
		*sent = 0;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
