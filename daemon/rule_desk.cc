// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_desk.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/rule_encode.h"
#include "daemon/rules/rule_fields.h"
#include "daemon/rules/rule_text.h"

namespace taskmon::daemon {
namespace {

using EditResult = rules::RuleBook::EditResult;

// Of an edit with more changes, matches are not counted.
constexpr size_t kMostCounted = 100;

std::vector<std::string> Names(const v1::RuleNames& names) { return {names.names().begin(), names.names().end()}; }

absl::StatusOr<rules::RuleSet> Patch(const v1::EditRulesRequest& request, const std::string& text,
                                     const rules::RuleSet& current) {
  const bool adds = request.has_add();
  const v1::NamedFields& named = adds ? request.add() : request.set();
  absl::StatusOr<rules::RulePatch> patch = DecodeFields(named.fields());
  if (!patch.ok()) return patch.status();
  if (!text.empty()) patch->expression = text;
  return adds ? current.Add(named.name(), *patch) : current.Set(named.name(), *patch);
}

absl::StatusOr<rules::RuleSet> Apply(const std::string& file, const std::string& text, const rules::RuleSet& current) {
  absl::StatusOr<rules::ParsedRules> parsed = rules::ParseRuleText(text, rules::OneLine(file));
  if (!parsed.ok()) return parsed.status();
  size_t culprit = 0;
  absl::StatusOr<rules::RuleSet> set = current.Replace(std::move(parsed->rules), &culprit);
  return set.ok() ? std::move(set) : parsed->At(culprit, set.status());
}

absl::StatusOr<rules::RuleSet> Edited(const v1::EditRulesRequest& request, const std::string& text,
                                      const rules::RuleSet& current) {
  switch (request.edit_case()) {
    case v1::EditRulesRequest::kAdd:
    case v1::EditRulesRequest::kSet: return Patch(request, text, current);
    case v1::EditRulesRequest::kRemove: return current.Remove(Names(request.remove()));
    case v1::EditRulesRequest::kEnable: return current.SetEnabled(Names(request.enable()), true);
    case v1::EditRulesRequest::kDisable: return current.SetEnabled(Names(request.disable()), false);
    case v1::EditRulesRequest::kApply: return Apply(request.apply(), text, current);
    default: return absl::InvalidArgumentError("the request has no edit");
  }
}

// Of living processes, as an administrator sees them. nullopt: one look cannot tell.
std::optional<uint64_t> CountMatches(const query::Expression& expression, const Snapshot* snapshot) {
  if (snapshot == nullptr || expression.needs_memory()) return std::nullopt;
  const query::Caller everything = {.sees_everything = true, .admin = true};
  return static_cast<uint64_t>(std::count_if(snapshot->tasks.begin(), snapshot->tasks.end(), [&](const auto& sample) {
    return !sample->info->key.thread && expression.Matches(query::MakeRow(*snapshot, *sample, everything));
  }));
}

// A rule by name or, as names are never numbers, by its order.
const rules::CheckedRule* FindRule(const rules::RuleSet& set, const std::string& name) {
  if (const rules::CheckedRule* rule = set.Find(name)) return rule;
  uint32_t order = 0;
  const char* last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data(), last, order);
  return error == std::errc() && end == last ? set.FindByOrder(order) : nullptr;
}

struct Question {
  std::string rule;  // empty: an expression
  query::Expression expression;
};

// What a person asks about: an expression, or else a rule by its name.
absl::StatusOr<Question> ReadQuestion(const std::string& text, const rules::RuleSet& set) {
  absl::StatusOr<query::Expression> expression = query::Expression::Parse(text, query::kRuleLimits);
  if (expression.ok() && !expression->matches_everything()) return Question{"", *std::move(expression)};
  if (const rules::CheckedRule* rule = set.Find(text)) return Question{rule->rule.name, rule->expression};
  if (expression.ok()) return absl::InvalidArgumentError("an expression, or the name of a rule, is missing");
  if (!rules::CheckName(text).ok()) return expression.status();
  return absl::InvalidArgumentError(
      fmt::format("{} ({})", std::string(set.NoSuchRule(text).message()), std::string(expression.status().message())));
}

}  // namespace

absl::Status RuleDesk::MayRead(const query::Caller& caller) const {
  if (!sources_.readers_only || caller.sees_everything) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("these rules are not for everyone to read (rules.readable_by); membership of group {} grants it "
                  "('usermod -aG {} USER', then log in again)",
                  sources_.reader_group, sources_.reader_group));
}

absl::Status RuleDesk::MayEdit(const query::Caller& caller) const {
  if (caller.admin) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("only root may edit rules; membership of group {} grants it, too ('usermod -aG {} USER', then log in "
                  "again)",
                  sources_.admin_group, sources_.admin_group));
}

absl::StatusOr<v1::RuleList> RuleDesk::List(const v1::ListRulesRequest& request, const query::Caller& caller) const {
  if (absl::Status status = MayRead(caller); !status.ok()) return status;
  const rules::RuleSetPtr set = sources_.book->Current();
  const rules::CheckedRule* wanted = nullptr;
  if (!request.name().empty()) {
    wanted = FindRule(*set, request.name());
    if (wanted == nullptr) return set->NoSuchRule(request.name());
  }
  const std::vector<rules::RuleFigures> figures = sources_.engine->Figures(*set);
  v1::RuleList reply;
  reply.set_version(set->version());
  for (size_t i = 0; i < set->size(); ++i) {
    if (wanted == nullptr || set->rules()[i].get() == wanted) {
      EncodeRule(set->rules()[i]->rule, figures[i], reply.add_rules());
    }
  }
  return reply;
}

absl::StatusOr<v1::RuleFile> RuleDesk::Export(const v1::ExportRulesRequest& request,
                                              const query::Caller& caller) const {
  if (absl::Status status = MayRead(caller); !status.ok()) return status;
  const absl::StatusOr<rules::RuleSet> set =
      request.version() == 0 ? *sources_.book->Current() : sources_.book->Version(request.version());
  if (!set.ok()) return set.status();
  v1::RuleFile reply;
  reply.set_version(set->version());
  reply.set_text(rules::WriteRuleText(*set));
  return reply;
}

absl::StatusOr<v1::RuleEdit> RuleDesk::Edit(const v1::EditRulesRequest& request, const std::string& text,
                                            const query::Caller& caller) const {
  if (absl::Status status = MayEdit(caller); !status.ok()) return status;
  const rules::RuleBook::EditOptions options = {
      .author_uid = caller.uid, .expected_version = request.expected_version(), .dry_run = request.dry_run()};
  const auto edit = [&](const rules::RuleSet& current) { return Edited(request, text, current); };
  const absl::StatusOr<EditResult> result = request.has_roll_back()
                                                ? sources_.book->RollBack(request.roll_back(), options)
                                                : sources_.book->Edit(edit, options);
  if (!result.ok()) return result.status();
  return Encode(*result, request.dry_run());
}

v1::RuleEdit RuleDesk::Encode(const EditResult& result, bool dry_run) const {
  v1::RuleEdit reply;
  reply.set_version(result.set->version());
  reply.set_dry_run(dry_run);
  reply.set_rules(result.set->size());
  for (std::string& warning : rules::Warnings(*result.set, result.changes)) reply.add_warnings(std::move(warning));
  const std::shared_ptr<const Snapshot> snapshot = sources_.newest();
  const bool few = result.changes.size() <= kMostCounted;
  for (const rules::RuleChange& change : result.changes) {
    v1::RuleChange* encoded = reply.add_changes();
    EncodeChange(change, encoded);
    if (!few || !change.Touches("expr")) continue;
    const std::optional<uint64_t> matching = CountMatches(change.rule->expression, snapshot.get());
    if (matching) encoded->set_matching_now(*matching);
  }
  return reply;
}

absl::StatusOr<v1::RuleVersionList> RuleDesk::Versions(const query::Caller& caller) const {
  if (absl::Status status = MayRead(caller); !status.ok()) return status;
  const absl::StatusOr<storage::RuleVersionList> versions = sources_.book->Versions();
  if (!versions.ok()) return versions.status();
  v1::RuleVersionList reply;
  EncodeVersions(*versions, &reply);
  return reply;
}

absl::StatusOr<v1::TaskExplanation> RuleDesk::ExplainTask(const v1::ExplainTaskRequest& request,
                                                          const query::Caller& caller) const {
  if (absl::Status status = MayRead(caller); !status.ok()) return status;
  return sources_.engine->ExplainTask(*sources_.book->Current(), request.tid(), caller);
}

absl::StatusOr<v1::ExpressionExplanation> RuleDesk::ExplainExpression(const v1::ExplainExpressionRequest& request,
                                                                      const query::Caller& caller) const {
  if (absl::Status status = MayRead(caller); !status.ok()) return status;
  const absl::StatusOr<Question> question = ReadQuestion(request.expression(), *sources_.book->Current());
  if (!question.ok()) return question.status();
  absl::StatusOr<v1::ExpressionExplanation> answer = sources_.engine->ExplainExpression(question->expression);
  if (!answer.ok()) return answer;
  answer->set_rule(question->rule);
  answer->set_expression(question->expression.text());
  // To others a count would tell more than they may see.
  if (!caller.sees_everything) return answer;
  const std::optional<uint64_t> matching = CountMatches(question->expression, sources_.newest().get());
  if (matching) answer->set_matching_now(*matching);
  return answer;
}

absl::StatusOr<v1::RuleTrial> RuleDesk::Test(const v1::TestRuleRequest& request, const query::Caller& caller,
                                             const std::function<bool()>& cancelled) {
  if (absl::Status status = MayRead(caller); !status.ok()) return status;
  const absl::StatusOr<Question> question = ReadQuestion(request.expression(), *sources_.book->Current());
  if (!question.ok()) return question.status();
  const Shares::Share share = trials_.Take(caller);
  if (!share.granted()) {
    return absl::ResourceExhaustedError(
        fmt::format("too many trials run already ({} in all, {} of one user); try again when they are through",
                    trials_.limit(), trials_.of_one_user()));
  }
  absl::StatusOr<v1::RuleTrial> answer = sources_.engine->TestRule(question->expression, request, caller, cancelled);
  if (answer.ok()) answer->set_expression(question->expression.text());
  return answer;
}

}  // namespace taskmon::daemon
