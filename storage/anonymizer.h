// SPDX-License-Identifier: Apache-2.0
//
// Takes names out of what is handed on: the same name always becomes the same stand-in, different ones different ones,
// so that what belonged together still does. Kernel threads keep their names, which are the kernel's; root stays root.
// Command lines, paths and details of events are left out. One anonymizer for one file; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "storage/sample.h"

namespace taskmon::storage {

class Anonymizer {
 public:
  std::shared_ptr<const TaskInfo> Info(const std::shared_ptr<const TaskInfo>& info);
  // Of which the task and the last sample name stand-ins already.
  void Hide(Event* event);
  // The number that stands for a user; root stays root.
  uint32_t User(uint32_t uid) { return Id("user", uid); }

 private:
  // "KIND-1", "KIND-2" … in the order of appearance; empty stays empty.
  std::string StandIn(const std::string& kind, const std::string& name);
  uint32_t Id(const std::string& kind, uint32_t id);

  std::map<std::pair<std::string, std::string>, std::string> stand_ins_;
  std::map<std::string, int> counts_;
  std::map<std::pair<std::string, uint32_t>, uint32_t> ids_;
  std::unordered_map<std::shared_ptr<const TaskInfo>, std::shared_ptr<const TaskInfo>> infos_;
};

}  // namespace taskmon::storage
