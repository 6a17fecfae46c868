// SPDX-License-Identifier: Apache-2.0
//
// Answers from a history or snapshot file without a daemon: the same query engine that taskmond uses, in this process.
// Whoever can read the file sees everything in it. What needs a live system is a usage error.
#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "client/backend.h"

namespace taskmon::client {

// InvalidArgument: no such file, or not a history file. PermissionDenied: not readable.
absl::StatusOr<std::unique_ptr<Backend>> OpenFileBackend(const std::string& path);

}  // namespace taskmon::client
