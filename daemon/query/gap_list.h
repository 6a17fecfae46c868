// SPDX-License-Identifier: Apache-2.0
//
// Puts the gaps of a scan where they belong among the rows of an answer: a gap is told before the rows of the ticks
// after it, though rows of folded ticks come later than the scan speaks of gaps. Owned by one answer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "storage/ring_reader.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::query {

class GapList {
 public:
  // `asked`: what the rows are asked for; `stored`: what there is. A gap at the edge of the question is one, too.
  GapList(const storage::TimeRange& asked, const storage::TimeRange& stored) : asked_(asked), stored_(stored) {}

  // For ScanFilter::on_gap.
  void Note(const storage::Gap& gap) { waiting_.push_back(gap); }
  // Before the rows of `tick` are told: what is missing before it. `tell` is called for each in order.
  void Before(const Tick& tick, const std::function<void(const v1::Gap&)>& tell);
  // At the end of an answer that was not cut short.
  void AtEnd(const std::function<void(const v1::Gap&)>& tell);

 private:
  const storage::TimeRange asked_, stored_;
  std::vector<storage::Gap> waiting_;
  std::optional<Tick> last_;
};

}  // namespace taskmon::query
