// SPDX-License-Identifier: Apache-2.0
#include "daemon/known_names.h"

#include <utility>

namespace taskmon::daemon {

const SharedText& KnownNames::User(uint32_t uid) {
  auto [user, added] = users_.try_emplace(uid);
  if (added) wanted_users_.push_back(uid);
  return user->second.name;
}

const CgroupIdentity* KnownNames::Cgroup(uint64_t cgroup_id) const {
  auto known = cgroups_.find(cgroup_id);
  return known == cgroups_.end() ? nullptr : &known->second;
}

bool KnownNames::IsUserRead(uint32_t uid) const {
  auto known = users_.find(uid);
  return known != users_.end() && known->second.read;
}

void KnownNames::LearnUser(uint32_t uid, const SharedText& name) {
  users_[uid] = {name, true};
  ++users_version_;
}

rules::MachineFacts KnownNames::Facts() const {
  rules::MachineFacts facts;
  for (const auto& [id, identity] : cgroups_) {
    facts.cgroups.push_back({id, identity.path, identity.unit, identity.container});
  }
  for (const auto& [uid, user] : users_) facts.users.push_back({uid, user.name});
  return facts;
}

void KnownNames::LearnCgroup(uint64_t cgroup_id, const CgroupIdentity& identity) {
  ++cgroups_version_;
  if (cgroups_.size() >= kMostCgroups) cgroups_.clear();
  cgroups_[cgroup_id] = identity;
}

std::vector<NameRequest> KnownNames::TakeRequests() {
  std::vector<NameRequest> requests;
  for (uint32_t uid : std::exchange(wanted_users_, {})) requests.push_back({.uid = uid, .user = true});
  return requests;
}

}  // namespace taskmon::daemon
