// SPDX-License-Identifier: Apache-2.0
//
// The last samples of tasks that ended, metric by metric. What a metric leaves to be said once others are known (the
// user part of a run time of which the system part is known, say) is found by trying: the encoder knows no names. Pure.
#pragma once

#include <memory>
#include <vector>

#include "storage/codec.h"
#include "storage/sample.h"

namespace taskmon::storage {

// A last sample with what it belongs to.
struct FinalSample {
  uint64_t seq = 0;                    // tick that it is stored with
  uint64_t boot_ns = 0;                // when the task ended, or any other time near the times its values were taken at
  int64_t duration_ns = 0;             // known to the reader, as `boot_ns` is
  std::shared_ptr<TaskSample> sample;  // `info` is of no concern
};

// `stored`: metrics to keep.
void PutFinals(const std::vector<FinalSample>& finals, const MetricBits& stored, ByteWriter* out);
// `finals` come with all but the samples. False: damaged.
bool GetFinals(ByteReader* in, std::vector<FinalSample>* finals);

}  // namespace taskmon::storage
