/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a pass over all tasks does with each: it sends a record of those that may have changed since they were last sent.
 * How the tasks are come by is up to walk.bpf.c and iterate.bpf.c.
 *
 * Idle means: not running or runnable, no hook asked for it (tm_touch), and nothing in the fingerprint changed. A
 * task cannot run without its switch count rising, and one that runs right now is sent now and in the next pass, so
 * the fingerprint leaves CPU time out. It has what others can change: state, priority, and for leaders, whose cgroup is
 * their process's, cgroup and process gauges: each line of a task_struct that is not looked at saves a cache miss. A pass
 * may come to a task twice: what was sent is noted only after it was, and is not sent again.
 *
 * A task that no rule wants is left out, where such are to be: its fingerprint is kept in another form, which goes out
 * of date when a process with threads comes to be wanted.
 *
 * What is not inlined is so for the verifier: many ways through it come back as one. With all of it inlined it takes 2 s
 * more to load the walk.
 */
#ifndef TASKMON_PASS_BPF_H
#define TASKMON_PASS_BPF_H

#include "block.bpf.h"
#include "group.bpf.h"
#include "split.bpf.h"
#include "thresholds.bpf.h"

/* Threads come after each other, and mostly share one table: count a table once per pass. */
extern __u64 tm_files_seen, tm_files_count;
extern __u32 tm_files_epoch;

static __always_inline u64 tm_mix(u64 hash, u64 value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ull ^ hash >> 29;
}

/* All ones: not to be counted, or none. */
static __always_inline u64 tm_shared_fds(struct task_struct *t, u32 epoch)
{
	u64 files = tm_files_address(t);

	if (!files)
		return ~0ull;
	if (tm_files_seen != files || tm_files_epoch != epoch) {
		tm_files_count = tm_count_fds(files);
		tm_files_seen = files;
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
		hash = tm_mix(hash, tm_shared_fds(t, epoch));
	}
	return hash;
}

/* Odd. Everybody is to be looked at under new rules. */
static __noinline u64 tm_fingerprint(struct task_struct *t, u32 state, u32 epoch)
{
	u64 hash = tm_mix((u64)tm_rules_in_force()->generation << 32 | (u32)t->pid, tm_start_ns(t));

	hash = tm_mix(hash, t->nvcsw + t->nivcsw);

	hash = tm_mix(hash, (u64)state << 32 | t->exit_state);
	hash = tm_mix(hash, (u64)t->prio << 32 | (u32)t->static_prio);
	if (t->pid != t->tgid)
		return hash | 1;
	hash = tm_mix(hash, tm_cgroup_id(t));
	if (!(t->flags & PF_KTHREAD))
		hash = tm_mix_process(hash, t, epoch);
	return hash | 1;
}

/* Of a task that was left out: even, and never 0. */
static __always_inline u64 tm_left_out_print(u64 fingerprint, u32 promotions)
{
	return (tm_mix(fingerprint, promotions) & ~3ull) | 2;
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
	tm_fill_hooked(r, t, st);
	tm_fill_maxima(r, t, st, closed);
	tm_fill_off_cpu(r, t, st, state);
	if (tm_rules_filter())
		tm_fill_dead_sums(r->dead, tm_process_find(st));
}

static __always_inline void tm_fill_process(struct tm_task_record *r, struct task_struct *t, u32 epoch)
{
	u64 fds;

	r->valid |= tm_fill_memory(r->process, t);
	r->valid |= tm_fill_signal(r->process, r->dead, t, false);
	if (t->flags & PF_KTHREAD)
		return;
	fds = tm_shared_fds(t, epoch);
	if (fds == ~0ull)
		return;
	r->process[TM_P_FD_COUNT] = fds;
	r->valid |= TM_VALID_FILES;
}

/* Ours from now on; whoever is on its way out already stays without storage and so without a final record. */
static __noinline struct tm_task *tm_storage_of(struct task_struct *t)
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

static __always_inline void tm_mark_sent(struct task_struct *t, struct tm_task *st, u64 runtime_ns, u32 closed)
{
	struct tm_io_entry *entry = st->uses_block ? tm_io_find(t) : NULL;

	st->reported_epoch = closed;
	st->accounted_ns = runtime_ns;
	tm_note_told(st);
	if (entry)
		entry->windows[closed & 1].word = 0;
}

/* Brings the decision up to date first: a thread takes its process's. */
static __always_inline bool tm_is_sent_now(struct task_struct *t, struct tm_task *st, u32 closed)
{
	struct tm_task *leader_st;

	if (!tm_rules_given() || t->exit_state)
		return tm_is_sent(t, st);
	leader_st = tm_leader_get(t, st);
	if (!leader_st)
		return true;
	tm_review(st, leader_st, closed);
	return tm_is_sent(t, st);
}

static __always_inline void tm_count_left_out(struct task_struct *t)
{
	tm_pass_left_out[0]++;
	if (t->pid == t->tgid)
		tm_pass_left_out[1]++;
}

static __always_inline void tm_leave_out(struct task_struct *t, struct tm_task *st)
{
	u64 runtime_ns = t->se.sum_exec_runtime;

	tm_count_left_out(t);
	st->told = 0;
	if (st->finished || t->exit_state)
		return;
	tm_add_left_out(TM_LEFT_OUT_LIVE_NS, runtime_ns - st->accounted_ns);
	st->accounted_ns = runtime_ns;
}

/* Unless a hook has asked for the task since. */
static __always_inline void tm_mark_left_out(u64 *sent, u64 fingerprint, u32 promotions)
{
	if (*(volatile u64 *)sent == fingerprint)
		tm_replace(sent, fingerprint, tm_left_out_print(fingerprint, promotions));
}

/* A task in a pass, as it was when the decision to send it was made. */
struct tm_passed {
	u64 fingerprint;
	u32 epoch;		/* that the pass has opened */
	u32 promotions;
	u32 state;
	u32 running;
};

/* False: it is as it was when last sent. Only reads: a pointer that the verifier does not trust will do. */
static __always_inline bool tm_pass_has_news(struct tm_passed *p, struct task_struct *t)
{
	u32 exit_state = t->exit_state;
	u64 *sent = tm_sent_slot(t->pid);

	if (!sent)
		return false;	/* never: for the verifier */
	/* Everything that idleness rests on is read before what is sent: a change in between shows in the next pass. */
	p->epoch = tm_epoch;
	p->promotions = *(volatile u32 *)&tm_promotions;
	p->state = tm_task_state(t);
	p->running = !(p->state & ~TASK_NOLOAD) || t->on_cpu;
	p->fingerprint = tm_fingerprint(t, p->state, p->epoch);
	if (*sent == p->fingerprint && !p->running && !exit_state && !tm_send_all)
		return false;
	if (*sent == tm_left_out_print(p->fingerprint, p->promotions) && !p->running && !exit_state) {
		tm_count_left_out(t);
		return false;
	}
	return true;
}

/* False: it is not wanted, or was sent in this pass already. `st` is set, to NULL where there is no storage. */
static __always_inline bool tm_pass_wants(struct tm_passed *p, struct task_struct *t, struct tm_task **st_out)
{
	u32 closed = p->epoch - 1;
	struct tm_task *st = tm_storage_of(t);
	u64 *sent = tm_sent_slot(t->pid);

	*st_out = st;
	if (!sent || (st && st->reported_epoch == closed))
		return false;	/* a pass that began anew */
	*sent = p->fingerprint;	/* a hook that touches the task from here on has the last word */
	if (st)
		tm_split_running(t, st, closed);
	if (!st || tm_is_sent_now(t, st, closed))
		return true;
	tm_leave_out(t, st);
	if (p->running)
		*sent = 0;
	else
		tm_mark_left_out(sent, p->fingerprint, p->promotions);
	return false;
}

static __always_inline void tm_pass_fill(struct tm_task_record *r, struct tm_passed *p, struct task_struct *t,
					 struct tm_task *st)
{
	__builtin_memset(r, 0, sizeof(*r));
	tm_fill_header(&r->header, sizeof(*r), TM_RECORD_TASK);
	r->epoch = p->epoch - 1;
	tm_fill_task(r, t);
	if (t->on_cpu)
		r->flags |= TM_TASK_ON_CPU;
	if (st)
		tm_fill_from_storage(r, t, st, p->state, p->epoch - 1);
	tm_fill_process(r, t, p->epoch);
}

static __always_inline void tm_pass_sent(struct tm_passed *p, struct task_struct *t, struct tm_task *st, u64 runtime_ns)
{
	u64 *sent = tm_sent_slot(t->pid);

	if (st)
		tm_mark_sent(t, st, runtime_ns, p->epoch - 1);
	if (!sent)
		return;	/* never: for the verifier */
	if (!st || p->running || tm_has_open_maxima(t, st, p->epoch))
		*sent = 0;
	else if (!tm_is_sent(t, st))
		tm_mark_left_out(sent, p->fingerprint, p->promotions);
}

#endif
