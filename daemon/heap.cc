// SPDX-License-Identifier: Apache-2.0
//
// How jemalloc, which taskmond is linked with, is to keep the heap small: what is free goes back to the kernel at once.
// glibc's heap keeps it: where 35 MB were in use, 77 MB more lay between them, free and resident, as questions come and
// go (`./dev churn`). Programs under a sanitizer have the sanitizer's heap.
//
// Few arenas, because what one has to spare the others cannot use; and threads keep small blocks only to themselves:
// gRPC's are many and mostly idle.

extern "C" const char* malloc_conf;  // jemalloc(3) looks for it before main() is called
const char* malloc_conf = "narenas:2,tcache_max:1024,dirty_decay_ms:0,muzzy_decay_ms:0";
