// SPDX-License-Identifier: Apache-2.0
//
// Brings history files of older formats up to date, as one transaction: after a crash in the middle the file is as it
// was. What was plain rows and is not any more gives its pages back to the file, so that it does not grow much.
#pragma once

#include <absl/status/status.h>

#include "storage/sqlite_db.h"

namespace taskmon::storage {

// DataLoss: not a version there ever was.
absl::Status Upgrade(Database* db);

}  // namespace taskmon::storage
