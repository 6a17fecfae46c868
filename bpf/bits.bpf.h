/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Counting the set bits of a bitmap in kernel memory. */
#ifndef TASKMON_BITS_BPF_H
#define TASKMON_BITS_BPF_H

#include "kernel_types.bpf.h"

enum {
	TM_BIT_WORDS = 8,	/* read at once */
	TM_BIT_CHUNKS = 128,	/* 128 * 8 * 64 = 65536 bits; longer bitmaps are not counted */
};

static inline __attribute__((always_inline)) u64 tm_count_bits(u64 word)
{
	return __builtin_popcountll(word);
}

/*
 * All ones: too long, or not readable. A global function: the verifier walks its loop once, and not once more for every
 * path of every caller, which makes loading four times faster.
 */
u64 tm_count_bits_at(u64 address, u32 words);

/* Open files of the files_struct at an address, likewise. All ones: its table is too large, or went away under us. */
u64 tm_count_fds(u64 files);

#endif
