/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The ABI as C sees it. */
#include <stddef.h>

#include "bpf/rules_abi.h"
#include "bpf/taskmon_abi.h"
#include "tests/unit/bpf/abi_layout.h"

#define TM_SIZE(type) sizeof(struct type),
#define TM_OFFSET(type, member) offsetof(struct type, member),

const unsigned long tm_c_sizes[] = {TM_ABI_STRUCTS(TM_SIZE)};
const unsigned long tm_c_offsets[] = {TM_ABI_MEMBERS(TM_OFFSET)};
