// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Signals taken: delivered to this very thread, ignored ones not counted. */
#include "storage.bpf.h"

SEC("tp_btf/signal_deliver")
int BPF_PROG(tm_signal_deliver)
{
	tm_current_add(TM_C_SIGNALS, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
