// SPDX-License-Identifier: Apache-2.0
//
// What taskmond says about itself, as metrics. Pure.
#pragma once

#include "client/export/exposition.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

void WriteStatusMetrics(const v1::Status& status, Exposition* page);

}  // namespace taskmon::client
