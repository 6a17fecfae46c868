// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where the maps and the variables that user space sets live; the headers that declare them say what they are. */
#include "thresholds.bpf.h"
#include "walk.bpf.h"

struct tm_tasks_map tm_tasks SEC(".maps");
struct tm_sent_map tm_sent SEC(".maps");
struct tm_ring_map tm_ring SEC(".maps");
struct tm_drops_map tm_drops SEC(".maps");
struct tm_groups_map tm_groups SEC(".maps");
struct tm_exec_scratch_map tm_exec_scratch SEC(".maps");
struct tm_io_map tm_io SEC(".maps");
struct tm_requests_map tm_requests SEC(".maps");
struct tm_processes_map tm_processes SEC(".maps");
struct tm_verdicts_map tm_verdicts SEC(".maps");
struct tm_left_out_map tm_left_out SEC(".maps");
struct tm_looks_map tm_looks SEC(".maps");
struct tm_walked_map tm_walked SEC(".maps");

const volatile __u32 tm_page_size = 4096;
const volatile __u64 tm_ring_wake_bytes = 4096;
const volatile __u32 tm_oom_from_signal = 0;
const volatile __u32 tm_refuse_storage = 0;

__u32 tm_epoch = 1;
__u32 tm_send_all = 0;
__u64 tm_sched_since_ns = ~0ull;
__u64 tm_lifecycle_since_ns = 0;
__u64 tm_pass_us = 0;
__u32 tm_promotions = 0;
__u32 tm_verdicts_waiting = 0;
__u32 tm_pass_left_out[2] = {};
struct tm_rules tm_rules = {};
__u64 tm_files_seen = 0, tm_files_count = 0;
__u32 tm_files_epoch = 0;
struct tm_walk tm_walk = {};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
