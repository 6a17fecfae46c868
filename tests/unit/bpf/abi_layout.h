/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every member of every record, and of what rules are made of, as X(struct, member): each language that they are
 * compiled in makes a table of sizes and offsets from it, and the tables must agree. A member added to the ABI is added
 * here.
 */
#define TM_ABI_STRUCTS(X) \
  X(tm_record_header)     \
  X(tm_identity)          \
  X(tm_max)               \
  X(tm_decision)          \
  X(tm_task_record)       \
  X(tm_fork_record)       \
  X(tm_exec_record)       \
  X(tm_rename_record)     \
  X(tm_oom_record)        \
  X(tm_rule_key)          \
  X(tm_prefix_key)        \
  X(tm_key_verdict)       \
  X(tm_threshold)         \
  X(tm_term)              \
  X(tm_rule_set)          \
  X(tm_rules)             \
  X(tm_process_key)       \
  X(tm_user_verdict)

#define TM_ABI_MEMBERS(X)                                                                                      \
  X(tm_record_header, size) X(tm_record_header, kind) X(tm_record_header, cpu) X(tm_record_header, time_ns)    \
  X(tm_identity, tid) X(tm_identity, tgid) X(tm_identity, start_ns) X(tm_identity, process_start_ns)           \
  X(tm_max, value_ns) X(tm_max, at_ns) X(tm_max, cpu) X(tm_max, witness)                                       \
  X(tm_decision, rule) X(tm_decision, seq) X(tm_decision, rules_version) X(tm_decision, verdict)               \
  X(tm_decision, at) X(tm_decision, decided_ns)                                                                \
  X(tm_task_record, header) X(tm_task_record, id) X(tm_task_record, ppid) X(tm_task_record, uid)               \
  X(tm_task_record, gid) X(tm_task_record, flags) X(tm_task_record, valid) X(tm_task_record, nice)             \
  X(tm_task_record, priority) X(tm_task_record, cpu) X(tm_task_record, cgroup_id)                              \
  X(tm_task_record, off_since_ns) X(tm_task_record, off_witness) X(tm_task_record, exit_code)                  \
  X(tm_task_record, epoch) X(tm_task_record, state) X(tm_task_record, comm) X(tm_task_record, counters)        \
  X(tm_task_record, maxima) X(tm_task_record, process) X(tm_task_record, dead) X(tm_task_record, accounted_ns) \
  X(tm_task_record, decision)                                                                                  \
  X(tm_fork_record, header) X(tm_fork_record, id) X(tm_fork_record, parent_tid) X(tm_fork_record, parent_tgid) \
  X(tm_fork_record, uid) X(tm_fork_record, gid) X(tm_fork_record, flags) X(tm_fork_record, cgroup_id)          \
  X(tm_fork_record, comm) X(tm_fork_record, decision)                                                          \
  X(tm_exec_record, header) X(tm_exec_record, id) X(tm_exec_record, old_tid) X(tm_exec_record, ppid)           \
  X(tm_exec_record, uid) X(tm_exec_record, gid) X(tm_exec_record, cgroup_id) X(tm_exec_record, comm)           \
  X(tm_exec_record, decision) X(tm_exec_record, args_len) X(tm_exec_record, args_total)                        \
  X(tm_exec_record, filename) X(tm_exec_record, args)                                                          \
  X(tm_rename_record, header) X(tm_rename_record, id) X(tm_rename_record, old_comm) X(tm_rename_record, comm)  \
  X(tm_rename_record, decision)                                                                                \
  X(tm_oom_record, header) X(tm_oom_record, id) X(tm_oom_record, comm)                                         \
  X(tm_rule_key, kind) X(tm_rule_key, value)                                                                   \
  X(tm_prefix_key, bits) X(tm_prefix_key, name)                                                                \
  X(tm_key_verdict, rule) X(tm_key_verdict, tests)                                                             \
  X(tm_threshold, value) X(tm_threshold, limit) X(tm_threshold, verdict)                                       \
  X(tm_term, yes) X(tm_term, no) X(tm_term, rule)                                                              \
  X(tm_rule_set, generation) X(tm_rule_set, version) X(tm_rule_set, send_unwanted)                             \
  X(tm_rule_set, first_user_rule) X(tm_rule_set, keys) X(tm_rule_set, matters) X(tm_rule_set, prefixes)        \
  X(tm_rule_set, thresholds_id) X(tm_rule_set, threshold_count) X(tm_rule_set, term_count)                     \
  X(tm_rule_set, kthread) X(tm_rule_set, tcp_used) X(tm_rule_set, udp_used) X(tm_rule_set, thresholds)         \
  X(tm_rule_set, terms)                                                                                        \
  X(tm_rules, active) X(tm_rules, watched_since) X(tm_rules, sets)                                             \
  X(tm_process_key, start_ns) X(tm_process_key, tgid)                                                          \
  X(tm_user_verdict, seq) X(tm_user_verdict, wanted) X(tm_user_verdict, used)
