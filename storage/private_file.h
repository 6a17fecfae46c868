// SPDX-License-Identifier: Apache-2.0
//
// What every database file of the daemon needs around SQLite: to be nobody else's, and to be moved out of the way when
// it is damaged.
#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace taskmon::storage {

// Makes an empty file that only its owner may read, unless there is a file already. SQLite gives the WAL the same mode.
absl::Status CreatePrivately(const std::string& path);

// Renames the file to "<path>.damaged-<unix time>", with the WAL that belongs to it, and returns the new path.
// Precondition: no connection of this process is open on it.
absl::StatusOr<std::string> SetAside(const std::string& path);

}  // namespace taskmon::storage
