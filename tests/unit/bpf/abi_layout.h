/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every member of every record, as X(struct, member): each language that taskmon_abi.h is compiled in makes a table of
 * sizes and offsets from it, and the tables must agree. A member added to the ABI is added here.
 */
#define TM_ABI_STRUCTS(X) \
  X(tm_record_header)     \
  X(tm_identity) X(tm_max) X(tm_task_record) X(tm_fork_record) X(tm_exec_record) X(tm_rename_record) X(tm_oom_record)

#define TM_ABI_MEMBERS(X)                                                                                              \
  X(tm_record_header, size)                                                                                            \
  X(tm_record_header, kind) X(tm_record_header, cpu) X(tm_record_header, time_ns) X(tm_identity, tid)                  \
      X(tm_identity, tgid) X(tm_identity, start_ns) X(tm_identity, process_start_ns) X(tm_max, value_ns)               \
          X(tm_max, at_ns) X(tm_max, cpu) X(tm_max, witness) X(tm_task_record, header) X(tm_task_record, id)           \
              X(tm_task_record, ppid) X(tm_task_record, uid) X(tm_task_record, gid) X(tm_task_record, flags)           \
                  X(tm_task_record, valid) X(tm_task_record, nice) X(tm_task_record, priority) X(tm_task_record, cpu)  \
                      X(tm_task_record, cgroup_id) X(tm_task_record, off_since_ns) X(tm_task_record, off_witness)      \
                          X(tm_task_record, exit_code) X(tm_task_record, epoch) X(tm_task_record, state)               \
                              X(tm_task_record, comm) X(tm_task_record, counters) X(tm_task_record, maxima)            \
                                  X(tm_task_record, process) X(tm_task_record, dead) X(tm_fork_record, header) X(      \
                                      tm_fork_record, id) X(tm_fork_record, parent_tid) X(tm_fork_record, parent_tgid) \
                                      X(tm_fork_record, uid) X(tm_fork_record, gid) X(tm_fork_record, flags) X(        \
                                          tm_fork_record, cgroup_id) X(tm_fork_record, comm) X(tm_exec_record, header) \
                                          X(tm_exec_record, id) X(tm_exec_record, old_tid) X(tm_exec_record, ppid)     \
                                              X(tm_exec_record, uid) X(tm_exec_record, gid)                            \
                                                  X(tm_exec_record, cgroup_id) X(tm_exec_record, comm)                 \
                                                      X(tm_exec_record, args_len) X(tm_exec_record, args_total)        \
                                                          X(tm_exec_record, filename) X(tm_exec_record, args) X(       \
                                                              tm_rename_record, header) X(tm_rename_record, id)        \
                                                              X(tm_rename_record, old_comm) X(tm_rename_record, comm)  \
                                                                  X(tm_oom_record, header) X(tm_oom_record, id)        \
                                                                      X(tm_oom_record, comm)
