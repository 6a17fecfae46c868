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

namespace taskmon::daemon {

class KnownNames {
 public:
  static constexpr size_t kMostCgroups = 100'000;

  // Empty: not known (yet). A user not met before is asked for with the next requests.
  const std::string& User(uint32_t uid);
  // nullptr: not known.
  const CgroupIdentity* Cgroup(uint64_t cgroup_id) const;

  void LearnUser(uint32_t uid, const std::string& name) { users_[uid] = name; }
  void LearnCgroup(uint64_t cgroup_id, const CgroupIdentity& identity);

  // Users to be asked for, once.
  std::vector<NameRequest> TakeRequests();

 private:
  std::map<uint64_t, CgroupIdentity> cgroups_;  // by cgroup v2 id
  std::map<uint32_t, std::string> users_;       // asked for, perhaps still empty
  std::vector<uint32_t> wanted_users_;
};

}  // namespace taskmon::daemon
