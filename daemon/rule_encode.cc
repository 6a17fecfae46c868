// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_encode.h"

#include <fmt/format.h>

#include "daemon/rules/rule_fields.h"

namespace taskmon::daemon {
namespace {

v1::RuleChangeKind KindOf(rules::RuleChange::Kind kind) {
  switch (kind) {
    case rules::RuleChange::Kind::kAdded: return v1::RULE_ADDED;
    case rules::RuleChange::Kind::kChanged: return v1::RULE_CHANGED;
    case rules::RuleChange::Kind::kRemoved: return v1::RULE_REMOVED;
  }
  return v1::RULE_CHANGE_UNSPECIFIED;
}

template <typename Value>
absl::Status Take(const char* field, absl::StatusOr<Value> parsed, std::optional<Value>* into) {
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(), fmt::format("{}: {}", field, std::string(parsed.status().message())));
  }
  *into = *std::move(parsed);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<rules::RulePatch> DecodeFields(const v1::RuleFields& fields) {
  rules::RulePatch patch;
  if (fields.has_order()) patch.order = fields.order();
  if (fields.has_expr()) patch.expression = fields.expr();
  if (fields.has_enabled()) patch.enabled = fields.enabled();
  if (fields.has_note()) patch.note = fields.note();
  absl::Status status;
  if (fields.has_action()) status.Update(Take("action", rules::ParseAction(fields.action()), &patch.action));
  if (fields.has_groups()) status.Update(Take("groups", rules::ParseGroups(fields.groups()), &patch.groups));
  if (fields.has_threads()) status.Update(Take("threads", rules::ParseThreads(fields.threads()), &patch.threads));
  if (fields.has_hold()) status.Update(Take("hold", rules::ParseHold(fields.hold()), &patch.hold_ns));
  if (!status.ok()) return status;
  return patch;
}

void EncodeRule(const rules::Rule& rule, const rules::RuleFigures& figures, v1::Rule* out) {
  out->set_name(rule.name);
  v1::RuleFields* fields = out->mutable_fields();
  fields->set_order(rule.order);
  fields->set_expr(rule.expression);
  fields->set_action(std::string(rules::ActionText(rule.action)));
  fields->set_groups(rules::GroupsText(rule.groups));
  fields->set_threads(rules::ThreadsText(rule.threads));
  fields->set_hold(rules::HoldText(rule.hold_ns));
  fields->set_enabled(rule.enabled);
  fields->set_note(rule.note);
  for (const std::string& group : rules::GroupNames(rule.groups)) out->add_groups(group);
  out->set_hold_ns(rule.hold_ns);
  if (figures.matched) out->set_matched(*figures.matched);
  for (const v1::Stage stage : figures.stages) out->add_stages(stage);
}

void EncodeChange(const rules::RuleChange& change, v1::RuleChange* out) {
  out->set_kind(KindOf(change.kind));
  out->set_name(change.rule->rule.name);
  for (const rules::FieldChange& field : change.fields) {
    v1::RuleFieldChange* encoded = out->add_fields();
    encoded->set_field(field.field);
    encoded->set_before(field.before);
    encoded->set_after(field.after);
  }
}

void EncodeVersions(const storage::RuleVersionList& list, v1::RuleVersionList* out) {
  for (const storage::RuleVersion& version : list.versions) {
    v1::RuleVersion* encoded = out->add_versions();
    encoded->set_version(version.version);
    encoded->set_time_ns(version.wall_ns);
    encoded->set_uid(version.author_uid);
    encoded->set_what(version.what);
    encoded->set_rules(version.rules);
  }
  out->set_dropped(list.dropped);
}

}  // namespace taskmon::daemon
