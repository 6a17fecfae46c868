// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "bits.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

u64 tm_count_bits_at(u64 address, u32 words)
{
	u64 chunk[TM_BIT_WORDS], count = 0;

	if (words > TM_BIT_CHUNKS * TM_BIT_WORDS)
		return ~0ull;
	for (u32 i = 0; i < words && i < TM_BIT_CHUNKS * TM_BIT_WORDS; i += TM_BIT_WORDS) {
		/* Reads past the end of a short bitmap, into what follows it; that is left out below. */
		if (bpf_probe_read_kernel(chunk, sizeof(chunk), (void *)(address + i * sizeof(u64))))
			return ~0ull;
		for (u32 j = 0; j < TM_BIT_WORDS; j++)
			count += i + j < words ? tm_count_bits(chunk[j]) : 0;
	}
	return count;
}

/* Almost every table is one word long. */
u64 tm_count_fds(u64 files)
{
	struct fdtable *fdt = NULL;
	unsigned int max_fds = 0;
	u64 bits = 0, word;

	if (bpf_core_read(&fdt, sizeof(fdt), &((struct files_struct *)files)->fdt) ||
	    bpf_core_read(&max_fds, sizeof(max_fds), &fdt->max_fds) ||
	    bpf_core_read(&bits, sizeof(bits), &fdt->open_fds))
		return ~0ull;
	if (max_fds / 64 > 1)	/* the kernel allocates whole words */
		return tm_count_bits_at(bits, max_fds / 64);
	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)bits))
		return ~0ull;
	return tm_count_bits(word);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
