// SPDX-License-Identifier: Apache-2.0
//
// What one invocation asks for: filled and checked by cli.cc, read by the commands. Texts in the TIME grammar and
// expressions are checked by whoever answers. A value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/output/format.h"
#include "taskmon/v1/rules.pb.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

enum class Command {
  kStatus,
  kDoctor,
  kMetrics,
  kVersion,
  kPs,
  kShow,
  kWatch,
  kHistory,
  kEvents,
  kSnapshot,
  kDiff,
  kTop,
  kExport,
  kCompletion,
  kComplete,  // what the completion scripts ask; hidden
  kRule,      // its commands follow
  kRuleList,
  kRuleShow,
  kRuleAdd,
  kRuleSet,
  kRuleRm,
  kRuleEnable,
  kRuleDisable,
  kRuleApply,
  kRuleExport,
  kRuleRollback,
  kRuleVersions,
  kRuleTest,
  kRuleExplain,
};

// What the commands below `rule` are given. Fields are texts that taskmond checks.
struct RuleOptions {
  std::vector<std::string> names;
  v1::RuleFields fields;
  std::string path;               // of a rule file; "-": standard input
  uint64_t version = 0;           // to export or roll back to; 0: not named
  uint64_t expected_version = 0;  // --if-version; 0: any
  bool dry_run = false;
};

struct Options {
  Command command = Command::kStatus;
  std::string socket = "/run/taskmon/taskmond.sock";
  std::string file;        // empty: ask the daemon
  std::string expression;  // empty: everything
  bool threads = false;
  std::string at;
  std::string begin;
  std::string end;
  uint64_t step_ns = 0;
  uint64_t interval_ns = 0;
  uint32_t count = 0;
  uint32_t top = 0;
  int32_t tid = 0;
  std::string output;  // of snapshot: the file to write
  bool anonymize = false;
  std::string fields;                    // empty: the default ones
  std::string by;                        // app, unit, user, comm, rule, task; empty: task
  std::string before_begin, before_end;  // of diff
  std::string after_begin, after_end;
  std::string sort;
  bool follow = false;
  std::vector<v1::EventType> types;
  std::vector<std::string> names;  // metrics to explain, a shell, the words to complete
  Format format = Format::kTable;
  bool header = true;
  bool raw = false;
  bool strict = false;
  std::string schema_of;   // print the JSON Schema of what this command answers; empty: answer
  bool once = false;       // export: print and end
  std::string listen;      // export: the address to be scraped at
  bool plot = false;       // history: graphs instead of rows
  bool histogram = false;  // events: how many instead of which
  RuleOptions rule;
};

}  // namespace taskmon::client
