// SPDX-License-Identifier: Apache-2.0
//
// The last sample of a task as the event table keeps it: a full update record with its tick in front. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "storage/codec.h"
#include "storage/sample.h"

namespace taskmon::storage {

std::string EncodeFinalSample(const TaskSample& sample, uint64_t boot_ns, const MetricBits& stored);
// `info` is left null.
absl::StatusOr<std::shared_ptr<TaskSample>> DecodeFinalSample(std::string_view bytes, uint64_t boot_ns);

}  // namespace taskmon::storage
