// SPDX-License-Identifier: Apache-2.0
//
// Kernel records made by hand, for tests of the builder. Times are in seconds of the boot clock for readability.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "bpf/taskmon_abi.h"

namespace taskmon::daemon {

inline constexpr uint64_t kSecond = 1'000'000'000;

struct Who {
  int32_t tid;
  int32_t tgid;
  uint64_t start_ns;
  uint64_t process_start_ns;
};

// A process and its leading thread.
inline Who Leader(int32_t tid, uint64_t start_ns) { return {tid, tid, start_ns, start_ns}; }

inline tm_identity Identity(const Who& who) { return {who.tid, who.tgid, who.start_ns, who.process_start_ns}; }

inline void SetComm(const std::string& comm, char (&target)[TM_COMM_LEN]) {
  std::memcpy(target, comm.data(), std::min<size_t>(comm.size(), TM_COMM_LEN - 1));  // the rest is 0
}

inline tm_task_record TaskRecord(const Who& who, const std::string& comm, uint64_t runtime_ns) {
  tm_task_record record{};
  record.header = {sizeof(record), TM_RECORD_TASK, 0, 0};
  record.id = Identity(who);
  record.ppid = 1;
  record.flags = who.tid == who.tgid ? TM_TASK_LEADER : 0;
  record.valid = TM_VALID_MM | TM_VALID_FILES | TM_VALID_STORAGE | TM_VALID_SIGNAL | TM_VALID_IO;
  record.state = 'S';
  record.counters[TM_C_RUNTIME_NS] = runtime_ns;
  SetComm(comm, record.comm);
  return record;
}

inline tm_task_record Preexisting(tm_task_record record) {
  record.flags |= TM_TASK_PREEXISTING;
  record.accounted_ns = record.counters[TM_C_RUNTIME_NS];
  return record;
}

inline tm_task_record FinalRecord(const Who& who, const std::string& comm, uint64_t runtime_ns, uint64_t time_ns,
                                  int32_t wait_status, bool last) {
  tm_task_record record = TaskRecord(who, comm, runtime_ns);
  record.header.kind = TM_RECORD_FINAL;
  record.header.time_ns = time_ns;
  record.exit_code = wait_status;
  record.state = 'X';
  if (last) record.flags |= TM_TASK_GROUP_DEAD;
  return record;
}

inline tm_fork_record ForkRecord(const Who& child, int32_t parent_tid, const std::string& comm) {
  tm_fork_record record{};
  record.header = {sizeof(record), TM_RECORD_FORK, 0, child.start_ns};
  record.id = Identity(child);
  record.parent_tid = parent_tid;
  record.parent_tgid = parent_tid;
  SetComm(comm, record.comm);
  return record;
}

inline tm_exec_record ExecRecord(const Who& who, int32_t old_tid, const std::string& comm, const std::string& filename,
                                 const std::string& args, uint64_t time_ns) {
  tm_exec_record record{};
  record.header = {sizeof(record), TM_RECORD_EXEC, 0, time_ns};
  record.id = Identity(who);
  record.old_tid = old_tid;
  SetComm(comm, record.comm);
  std::strncpy(record.filename, filename.c_str(), TM_PATH_LEN - 1);
  record.args_len = static_cast<uint32_t>(args.size());
  record.args_total = record.args_len;
  std::memcpy(record.args, args.data(), args.size());
  return record;
}

inline tm_rename_record RenameRecord(const Who& who, const std::string& comm) {
  tm_rename_record record{};
  record.header = {sizeof(record), TM_RECORD_RENAME, 0, 0};
  record.id = Identity(who);
  SetComm(comm, record.comm);
  return record;
}

}  // namespace taskmon::daemon
