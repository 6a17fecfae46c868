// SPDX-License-Identifier: Apache-2.0
//
// The live rules: holds the current set, and lets it change only through edits that are stored first. Made by the main
// thread at start; Current is called from every thread and never waits for an edit; the sampler asks for it at each
// tick and takes the events of the edits since.
//
//   Edit ─► under the edit lock: make the new set ─► store it ─► swap the pointer ─► event for the next tick
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "daemon/rules/rule_diff.h"
#include "daemon/rules/rule_set.h"
#include "storage/rule_store.h"
#include "storage/sample.h"

namespace taskmon::rules {

using RuleSetPtr = std::shared_ptr<const RuleSet>;

class RuleBook {
 public:
  struct Options {
    storage::RuleStoreOptions store;
    std::string defaults;  // the rule file to begin with where nothing is stored
    std::function<int64_t()> now_wall_ns;
    std::function<uint64_t()> now_boot_ns;
  };

  // What an edit may say besides what it does.
  struct EditOptions {
    uint32_t author_uid = 0;
    uint64_t expected_version = 0;  // 0: whatever is current
    bool dry_run = false;
    std::string what;  // for the list of versions; empty: the summary of the changes
  };

  struct EditResult {
    RuleSetPtr set;                   // after the edit; on a dry run what it would be, with the version it began from
    std::vector<RuleChange> changes;  // empty: nothing to do, and no version was made
  };

  using EditFunction = std::function<absl::StatusOr<RuleSet>(const RuleSet& current)>;

  // Loads the newest version; where there is none, or the file was damaged, the defaults become the first.
  // FailedPrecondition: the file is newer than this program. What went wrong on the way is in remarks().
  static absl::StatusOr<std::unique_ptr<RuleBook>> Open(Options options);

  RuleSetPtr Current() const ABSL_LOCKS_EXCLUDED(current_mutex_);

  // One edit at a time. Aborted: expected_version is not the current one. Other errors are the edit function's or the
  // store's; then nothing has changed.
  absl::StatusOr<EditResult> Edit(const EditFunction& edit, const EditOptions& options)
      ABSL_LOCKS_EXCLUDED(edit_mutex_, current_mutex_);

  // The set of an older version. InvalidArgument: not kept; names those that are.
  absl::StatusOr<RuleSet> Version(uint64_t version_untrusted) ABSL_LOCKS_EXCLUDED(edit_mutex_);
  absl::StatusOr<storage::RuleVersionList> Versions() ABSL_LOCKS_EXCLUDED(edit_mutex_);

  // Makes the content of an earlier version (0: the one before the current) a new version. Errors as for Version.
  absl::StatusOr<EditResult> RollBack(uint64_t version_untrusted, EditOptions options)
      ABSL_LOCKS_EXCLUDED(edit_mutex_, current_mutex_);

  // Events of type rule, one for each edit since the last call.
  std::vector<Event> TakeEvents() ABSL_LOCKS_EXCLUDED(current_mutex_);

  // Lines for the log: what Open had to do, and since then every file set aside.
  std::vector<std::string> TakeRemarks() ABSL_LOCKS_EXCLUDED(current_mutex_);

 private:
  RuleBook(Options options, std::unique_ptr<storage::RuleStore> store);

  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(edit_mutex_);
  absl::Status BeginWithDefaults() ABSL_EXCLUSIVE_LOCKS_REQUIRED(edit_mutex_);
  absl::StatusOr<std::vector<Rule>> Read(uint64_t version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(edit_mutex_);
  absl::StatusOr<EditResult> EditLocked(const EditFunction& edit, const EditOptions& options)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(edit_mutex_) ABSL_LOCKS_EXCLUDED(current_mutex_);
  absl::Status Store(RuleSet* set, const EditOptions& options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(edit_mutex_);
  void NoteDamage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(edit_mutex_);
  void Remark(std::string line) ABSL_LOCKS_EXCLUDED(current_mutex_);
  void Publish(RuleSetPtr set, const std::vector<RuleChange>& changes, const EditOptions& options)
      ABSL_LOCKS_EXCLUDED(current_mutex_);

  const Options options_;
  absl::Mutex edit_mutex_ ABSL_ACQUIRED_BEFORE(current_mutex_);
  const std::unique_ptr<storage::RuleStore> store_ ABSL_PT_GUARDED_BY(edit_mutex_);
  std::string set_aside_ ABSL_GUARDED_BY(edit_mutex_);  // told already
  // Held for moments only.
  mutable absl::Mutex current_mutex_;
  RuleSetPtr current_ ABSL_GUARDED_BY(current_mutex_);
  std::vector<std::string> remarks_ ABSL_GUARDED_BY(current_mutex_);
  std::vector<Event> events_ ABSL_GUARDED_BY(current_mutex_);
  uint64_t untold_ ABSL_GUARDED_BY(current_mutex_) = 0;
};

}  // namespace taskmon::rules
