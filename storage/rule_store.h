// SPDX-License-Identifier: Apache-2.0
//
// The file of the filter rules with their old versions (rules.db beside the history, so that a damaged history does not
// take the rules along). Rules are texts here; what they mean is not storage's business. Not thread-safe.
//
// A rule is kept once for the range of versions in which it stayed the same: an edit writes what it changed, and any
// version can be read back whole. The view `rules` shows the current ones to people with sqlite3.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace taskmon::storage {

struct StoredRule {
  std::string name;
  uint32_t order = 0;
  std::string expr;
  std::string action;
  std::string groups;
  std::string threads;
  std::string hold;
  bool enabled = true;
  std::string note;

  bool operator==(const StoredRule&) const = default;
};

struct RuleVersion {
  uint64_t version = 0;
  int64_t wall_ns = 0;
  uint32_t author_uid = 0;
  std::string what;  // was done
  uint64_t rules = 0;
};

struct RuleVersionList {
  std::vector<RuleVersion> versions;  // newest first
  uint64_t dropped = 0;               // older ones that were given up
};

struct RuleStoreOptions {
  std::string path;
  uint64_t max_versions = 1000;
  uint64_t max_bytes = 64ull << 20;  // of the file; the current version is kept in any case
};

class RuleStore {
 public:
  // Creates or continues the file. FailedPrecondition: its format is newer than ours. A file that is not a database, or
  // is damaged, is renamed to "<path>.damaged-<unix time>" and a new one begun.
  static absl::StatusOr<std::unique_ptr<RuleStore>> Open(const RuleStoreOptions& options);
  virtual ~RuleStore() = default;

  // 0: nothing is stored yet.
  virtual uint64_t newest_version() const = 0;

  // The rules of a version by ascending order. NotFound: it is not kept, or never was.
  virtual absl::StatusOr<std::vector<StoredRule>> Load(uint64_t version) = 0;
  virtual absl::StatusOr<RuleVersionList> Versions() = 0;

  // Stores the rules, durably, as the version that follows the newest, and drops the oldest ones over the limits. The
  // version number of `about` is given back. On an error nothing is stored. Damage that shows only now has the file set
  // aside, too; the rules at hand then begin the new one.
  virtual absl::StatusOr<uint64_t> Save(const std::vector<StoredRule>& rules, const RuleVersion& about) = 0;

  // Path of the damaged file that was set aside last; empty: none.
  virtual const std::string& set_aside() const = 0;
};

}  // namespace taskmon::storage
