// SPDX-License-Identifier: Apache-2.0
#include "storage/anonymizer.h"

#include <utility>

#include <fmt/format.h>

namespace taskmon::storage {
namespace {

// Names seen long ago are made anew, with the same stand-ins.
constexpr size_t kMaxInfos = 50000;
constexpr uint32_t kFirstId = 100000;

}  // namespace

std::string Anonymizer::StandIn(const std::string& kind, const std::string& name) {
  if (name.empty()) return name;
  auto [at, is_new] = stand_ins_.try_emplace({kind, name});
  if (is_new) at->second = fmt::format("{}-{}", kind, ++counts_[kind]);
  return at->second;
}

uint32_t Anonymizer::Id(const std::string& kind, uint32_t id) {
  if (id == 0) return 0;
  const auto next = static_cast<uint32_t>(kFirstId + ids_.size());
  return ids_.try_emplace({kind, id}, next).first->second;
}

std::shared_ptr<const TaskInfo> Anonymizer::Info(const std::shared_ptr<const TaskInfo>& info) {
  if (info == nullptr) return nullptr;
  if (infos_.size() > kMaxInfos) infos_.clear();
  auto [at, is_new] = infos_.try_emplace(info);
  if (!is_new) return at->second;
  auto hidden = std::make_shared<TaskInfo>(*info);
  hidden->uid = Id("user", info->uid);
  hidden->gid = Id("group", info->gid);
  hidden->cmdline = SharedText();
  hidden->exe = SharedText();
  if (!info->kthread) hidden->comm = StandIn("task", info->comm);
  if (info->uid != 0) hidden->user = StandIn("user", info->user);
  hidden->cgroup = StandIn("cgroup", info->cgroup);
  hidden->unit = StandIn("unit", info->unit);
  hidden->container = StandIn("container", info->container);
  hidden->app = StandIn("app", info->app);
  for (std::string& rule : hidden->rules) rule = StandIn("rule", rule);
  at->second = std::move(hidden);
  return at->second;
}

void Anonymizer::Hide(Event* event) {
  event->rule = StandIn("rule", event->rule);
  const bool of_taskmon = event->type == EventType::kGap || event->type == EventType::kDegraded;
  if (!of_taskmon) event->detail.clear();
  if (event->final_sample == nullptr) return;
  auto sample = std::make_shared<TaskSample>(*event->final_sample);
  sample->info = event->task;
  event->final_sample = std::move(sample);
}

}  // namespace taskmon::storage
