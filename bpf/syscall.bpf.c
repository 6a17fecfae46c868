// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Failed system calls. The dearest hook of all: attached only while someone wants it. */
#include "storage.bpf.h"

#if defined(__TARGET_ARCH_arm64)
struct pt_regs {
	int syscallno;
} __attribute__((preserve_access_index));
#define tm_syscall_nr(regs) ((s64)(regs)->syscallno)
#else
struct pt_regs {
	unsigned long orig_ax;
} __attribute__((preserve_access_index));
#define tm_syscall_nr(regs) ((s64)(regs)->orig_ax)
#endif

enum {
	TM_NO_SYSCALL = -1,		/* what rt_sigreturn leaves as the number of the call */
	TM_EINTR = 4,
	TM_MAX_ERRNO = 4095,
	TM_ERESTARTSYS = 512,		/* the first of the codes that restart a call: include/linux/errno.h */
	TM_ERESTART_RESTARTBLOCK = 516,	/* the last */
};

static __always_inline bool tm_is_error(long ret)
{
	return ret < 0 && ret >= -TM_MAX_ERRNO;
}

/* Restarted calls have not failed: user space never sees these codes. */
static __always_inline bool tm_is_restart(long ret)
{
	return ret <= -TM_ERESTARTSYS && ret >= -TM_ERESTART_RESTARTBLOCK;
}

/*
 * The return from a signal handler "returns" once more what the interrupted call had returned. That was counted at the
 * call's own exit, unless the call was to be restarted and the handler's presence turned that into EINTR afterwards.
 */
static __always_inline bool tm_sigreturn_failed(struct tm_task *st, long ret)
{
	bool interrupted = st->interrupted;

	st->interrupted = 0;
	return interrupted && ret == -TM_EINTR;
}

static __always_inline bool tm_call_failed(struct tm_task *st, long ret)
{
	if (tm_is_restart(ret)) {
		st->interrupted = 1;
		return false;
	}
	if (ret == -TM_EINTR)
		st->interrupted = 0;
	return true;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tm_sys_exit, struct pt_regs *regs, long ret)
{
	struct tm_task *st;
	bool failed;

	if (!tm_is_error(ret))
		return 0;
	st = tm_current_get();
	if (!st)
		return 0;
	failed = tm_syscall_nr(regs) == TM_NO_SYSCALL ? tm_sigreturn_failed(st, ret) : tm_call_failed(st, ret);
	if (failed)
		st->hooked[TM_C_SYSCALL_FAILS - TM_C_HOOKED] += 1;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
