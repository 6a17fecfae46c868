// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_answers.h"

#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "bpf/abi_names.h"
#include "daemon/hook_demand.h"
#include "daemon/query/range.h"
#include "daemon/query/time_spec.h"
#include "daemon/rule_trial.h"
#include "daemon/rules/push_down.h"
#include "daemon/task_explanation.h"

namespace taskmon::daemon {
namespace {

constexpr size_t kMostRulesShown = 64;
constexpr std::chrono::seconds kLongestTrial{600};

// The rules that a process of that name can match, up to the one that decides.
void CollectRules(const rules::Admission& admission, KnownOfTask* known) {
  const TaskInfo& info = *known->sample->info;
  const uint32_t last = known->standing.place;
  uint64_t before = 0;
  for (uint32_t place : admission.Candidates(info.comm)) {
    if (last != rules::kNoPlace && place > last) break;
    ++before;
    // Of a long list, the first ones and the one that decides.
    if (known->rules.size() >= kMostRulesShown && place != last) continue;
    const auto verdicts = admission.VerdictsOf(place, info.key);
    known->rules.push_back({place, admission.enabled()[place], verdicts.value_or(query::Verdicts())});
  }
  const uint64_t asked = last == rules::kNoPlace ? admission.enabled().size() : last + 1;
  known->rules_not_asked = asked - std::min<uint64_t>(asked, known->rules.size());
}

std::vector<v1::Stage> StagesOfRule(const rules::CheckedRule& rule) {
  return rules::StagesOf(rules::PlanParts(rule.expression, MakeHookedMetrics(), {}));
}

}  // namespace

std::vector<rules::RuleFigures> RuleAnswers::Figures(const rules::RuleSet& set) const {
  std::vector<rules::RuleFigures> figures(set.size());
  const absl::Status asked = sources_.ask_sampler([&](SampleBuilder&) {
    for (size_t i = 0; i < set.size(); ++i) figures[i].matched = sources_.admission->MatchedBy(set.rules()[i].get());
  });
  // Without the sampler's word the numbers stay unknown.
  if (!asked.ok()) return std::vector<rules::RuleFigures>(set.size());
  for (size_t i = 0; i < set.size(); ++i) figures[i].stages = StagesOfRule(*set.rules()[i]);
  return figures;
}

absl::StatusOr<v1::TaskExplanation> RuleAnswers::ExplainTask(const rules::RuleSet&, int32_t tid_untrusted,
                                                             const query::Caller& caller) const {
  const std::shared_ptr<const Snapshot> newest = sources_.newest();
  if (newest == nullptr) return absl::UnavailableError("the first tick is still to come; try again in a moment");
  std::optional<KnownOfTask> known;
  const absl::Status asked = sources_.ask_sampler([&](SampleBuilder& builder) {
    const Process* process = builder.FindProcess(tid_untrusted);
    if (process == nullptr || process->sample == nullptr) return;
    known.emplace();
    known->sample = process->sample;
    known->standing = process->standing;
    known->version = sources_.admission->rules() == nullptr ? 0 : sources_.admission->rules()->version();
    CollectRules(*sources_.admission, &*known);
  });
  if (!asked.ok()) return asked;
  if (!known) {
    return absl::NotFoundError(fmt::format(
        "no task {} is known now{}", tid_untrusted,
        sources_.keep_untracked ? ""
                                : "; with baseline.keep = \"none\" the kernel side leaves out whom no rule wants"));
  }
  return MakeTaskExplanation(*known, *newest, caller);
}

absl::StatusOr<v1::ExpressionExplanation> RuleAnswers::ExplainExpression(const query::Expression& expression) const {
  rules::MachineFacts facts;
  const absl::Status asked =
      sources_.ask_sampler([&facts](SampleBuilder& builder) { facts = builder.names().Facts(); });
  if (!asked.ok()) return asked;
  v1::ExpressionExplanation out;
  const auto parts = rules::PlanParts(expression, MakeHookedMetrics(), facts);
  for (const rules::PlannedPart& part : parts) {
    v1::ExpressionPart* encoded = out.add_parts();
    encoded->set_text(part.text);
    encoded->set_stage(part.stage);
    encoded->set_how(part.how);
  }
  for (v1::Stage stage : rules::StagesOf(parts)) out.add_stages(stage);
  const HookGroups groups = GroupsOf(expression.metrics());
  for (int group = 0; group < TM_HOOK_GROUP_MAX; ++group) {
    if (groups.test(group)) out.add_hook_groups(bpf::HookGroupName(static_cast<tm_hook_group>(group)));
  }
  for (const std::string& warning : expression.warnings()) out.add_warnings(warning);
  return out;
}

absl::StatusOr<v1::RuleTrial> RuleAnswers::TestRule(const query::Expression& expression,
                                                    const v1::TestRuleRequest& request_untrusted,
                                                    const query::Caller& caller,
                                                    const std::function<bool()>& cancelled) const {
  const int64_t now = sources_.now_wall_ns();
  const std::string& begin_untrusted = request_untrusted.begin();
  const auto begin = query::ParseTime(begin_untrusted.empty() ? "1h" : begin_untrusted, now);
  if (!begin.ok()) return begin.status();
  const auto end = query::ParseTime(request_untrusted.end().empty() ? "now" : request_untrusted.end(), now);
  if (!end.ok()) return end.status();
  if (*begin > *end) return absl::InvalidArgumentError("the range begins after it ends");
  auto reader = sources_.open_ring();
  if (!reader.ok()) return reader.status();
  const storage::TimeRange range = {.begin_wall_ns = *begin, .end_wall_ns = *end};
  if (absl::Status status = query::CheckStored(range, reader->get()); !status.ok()) return status;
  return TryRule(expression,
                 {.range = range,
                  .caller = caller,
                  .ring_bytes = sources_.ring_bytes(),
                  .budgets = sources_.budgets->Of(caller),
                  .go_on = query::GoOn([&cancelled] { return !cancelled(); }, kLongestTrial)},
                 reader->get());
}

}  // namespace taskmon::daemon
