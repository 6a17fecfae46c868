// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The ABI as BPF sees it: one variable of each struct, so that the object's BTF describes them all. */
#include "rules_abi.h"

#include "abi_layout.h"

#define TM_VARIABLE(type) struct type type##_variable;

TM_ABI_STRUCTS(TM_VARIABLE)
