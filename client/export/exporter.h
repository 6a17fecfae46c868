// SPDX-License-Identifier: Apache-2.0
//
// Asks taskmond what groups of tasks did and how it is itself, and writes that as one page of metrics. One caller at a
// time.
//
// Counters come from windows that follow each other without a seam, so that tasks that lived and died between two
// refreshes are in them. A window ends one tick before the newest stored one: the ends of tasks are told a tick late at
// most.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "client/backend.h"
#include "client/export/exposition.h"
#include "client/export/group_ledger.h"

namespace taskmon::client {

struct ExporterOptions {
  std::string by;                         // app, unit, user, rule: as requests and labels have it
  Attribute attribute = Attribute::kApp;  // the same as a field
  size_t top = 0;
  bool since_start = false;  // the first window begins when taskmond did; otherwise just now
};

class Exporter {
 public:
  Exporter(const ExporterOptions& options, Backend* backend);

  // Brings everything up to date. After a failure the page says that taskmond is not up, and nothing of tasks.
  absl::Status Refresh();
  std::string Page(Dialect dialect) const;

 private:
  absl::Status ReadWindow();
  absl::Status ReadMoment();
  absl::Status ReadRows(v1::ListTasksRequest request, std::vector<v1::TaskBatch>* batches) const;
  void WriteTasks(Exposition* page) const;

  const ExporterOptions options_;
  Backend* const backend_;
  GroupLedger ledger_;
  v1::Status status_;
  bool up_ = false;
  int64_t window_end_ns_ = 0;  // what is in the ledger
};

}  // namespace taskmon::client
