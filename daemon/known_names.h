// SPDX-License-Identifier: Apache-2.0
//
// What was learnt of users and cgroups, so that the next process of the same user or cgroup has its names at once.
// Pure; sampler's thread. Bounded: forgets everything when it has grown beyond any machine's need, and asks anew.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/names.h"
#include "daemon/rules/kernel_test.h"

namespace taskmon::daemon {

class KnownNames {
 public:
  static constexpr size_t kMostCgroups = 100'000;

  // Empty: not known (yet). A user not met before is asked for with the next requests.
  const SharedText& User(uint32_t uid);
  // nullptr: not known.
  const CgroupIdentity* Cgroup(uint64_t cgroup_id) const;

  bool IsUserRead(uint32_t uid) const;

  void LearnUser(uint32_t uid, const SharedText& name);
  // Only of a path that is known to be this cgroup's.
  void LearnCgroup(uint64_t cgroup_id, const CgroupIdentity& identity);

  // All that is known, for plans; the versions grow when there is more.
  rules::MachineFacts Facts() const;
  uint64_t cgroups_version() const { return cgroups_version_; }
  uint64_t users_version() const { return users_version_; }

  // Users to be asked for, once.
  std::vector<NameRequest> TakeRequests();

 private:
  std::map<uint64_t, CgroupIdentity> cgroups_;  // by cgroup v2 id
  struct KnownUser {
    SharedText name;
    bool read = false;  // asked for, but no answer yet
  };
  std::map<uint32_t, KnownUser> users_;
  std::vector<uint32_t> wanted_users_;
  uint64_t cgroups_version_ = 0;
  uint64_t users_version_ = 0;
};

}  // namespace taskmon::daemon
