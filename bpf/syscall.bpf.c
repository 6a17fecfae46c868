// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Failed system calls. The dearest hook of all: attached only while someone wants it. */
#include "storage.bpf.h"

enum {
	TM_MAX_ERRNO = 4095,
	TM_ERESTARTSYS = 512,		/* the first of the codes that restart a call: include/linux/errno.h */
	TM_ERESTART_RESTARTBLOCK = 516,	/* the last */
};

/* Restarted calls have not failed: user space never sees these codes. */
static __always_inline bool tm_failed(long ret)
{
	if (ret >= 0 || ret < -TM_MAX_ERRNO)
		return false;
	return ret > -TM_ERESTARTSYS || ret < -TM_ERESTART_RESTARTBLOCK;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tm_sys_exit, void *regs, long ret)
{
	if (tm_failed(ret))
		tm_current_add(TM_C_SYSCALL_FAILS, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
