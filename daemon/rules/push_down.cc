// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/push_down.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "daemon/rules/conjunctions.h"

namespace taskmon::rules {
namespace {

using query::Attribute;
using Kind = KernelTest::Kind;
using Node = query::Expression::Node;

struct ReadLiteral {
  KernelTest test;
  bool negated = false;  // both senses taken together
};

// A conjunction as the kernel could decide it.
struct KernelConjunction {
  std::vector<ReadLiteral> literals;
  bool possible = true;   // false: a test in it is true of nobody
  bool in_kernel = true;  // every test is for the kernel
  bool open = false;      // … but its "no" may be for want of knowledge
};

// A threshold once crossed stays so in the kernel: it can bring a task under a rule, not keep it out of one.
KernelConjunction Read(const Conjunction& conjunction, const HookedMetrics& hooked, const MachineFacts& facts,
                       Action action) {
  KernelConjunction out;
  for (const Literal& literal : conjunction) {
    KernelTest test = ReadKernelTest(*literal.test, hooked, facts);
    const bool negated = literal.negated != test.negated;
    if (test.kind == Kind::kNever) {
      out.possible &= negated;
      continue;  // negated: true of everybody
    }
    // "Not in a cgroup that we know of" says nothing of the others.
    if (!test.in_kernel() || (test.open() && negated)) out.in_kernel = false;
    if (test.kind == Kind::kThreshold && (negated || action == Action::kDrop)) out.in_kernel = false;
    out.open |= test.open();
    out.literals.push_back({std::move(test), negated});
  }
  return out;
}

void Merge(const bpf::KeyVerdict& from, bpf::KeyVerdict* into) {
  into->rule = std::min(into->rule, from.rule);
  into->tests |= from.tests;
}

// Fills the kernel's tables; whatever finds no room there is for taskmond to decide.
class Tables {
 public:
  explicit Tables(bpf::KernelRules* out) : out_(out) {}

  // False: no room.
  bool Add(const KernelConjunction& conjunction, bpf::RuleRef rule) {
    if (conjunction.literals.size() == 1 && !conjunction.literals.front().negated) {
      return Enter(conjunction.literals.front().test, {.rule = rule});
    }
    if (out_->terms.size() >= bpf::kMaxKernelTerms) return false;
    bpf::KernelTerm term{.rule = rule};
    for (const ReadLiteral& literal : conjunction.literals) {
      const auto bit = BitOf(literal.test);
      if (!bit) return false;
      (literal.negated ? term.no : term.yes) |= *bit;
    }
    // "a && !a" is nobody.
    if ((term.yes & term.no) == 0) out_->terms.push_back(term);
    return true;
  }

  void Finish() {
    out_->comms.assign(comms_.begin(), comms_.end());
    out_->uids.assign(uids_.begin(), uids_.end());
    out_->cgroups.assign(cgroups_.begin(), cgroups_.end());
    for (const auto& [prefix, verdict] : prefixes_) {
      bpf::KeyVerdict whole = verdict;
      // The trie finds the longest only: it speaks for the shorter ones as well.
      for (size_t length = 0; length < prefix.size(); ++length) {
        if (auto shorter = prefixes_.find(prefix.substr(0, length)); shorter != prefixes_.end()) {
          Merge(shorter->second, &whole);
        }
      }
      out_->prefixes.emplace_back(prefix, whole);
    }
  }

 private:
  template <typename Map, typename Keys>
  static bool EnterAll(const Keys& keys, const bpf::KeyVerdict& verdict, Map* map) {
    if (map->size() + keys.size() > bpf::kMaxKernelNames) return false;
    for (const auto& key : keys) Merge(verdict, &(*map)[key]);
    return true;
  }

  bool EnterThreshold(const bpf::KernelThreshold& threshold, const bpf::KeyVerdict& verdict) {
    auto same = [&](const bpf::KernelThreshold& other) {
      return other.of == threshold.of && other.index == threshold.index && other.limit == threshold.limit;
    };
    auto& all = out_->thresholds;
    auto known = std::find_if(all.begin(), all.end(), same);
    if (known == all.end()) {
      if (all.size() >= bpf::kMaxKernelThresholds) return false;
      known = all.insert(all.end(), threshold);
    }
    Merge(verdict, &known->verdict);
    return true;
  }

  bool Enter(const KernelTest& test, const bpf::KeyVerdict& verdict) {
    switch (test.kind) {
      case Kind::kComm: return EnterAll(test.names, verdict, &comms_);
      case Kind::kPrefix: return EnterAll(test.names, verdict, &prefixes_);
      case Kind::kUid:
      case Kind::kUser: return EnterAll(test.uids, verdict, &uids_);
      case Kind::kCgroup: return EnterAll(test.cgroups, verdict, &cgroups_);
      case Kind::kKthread: Merge(verdict, &out_->kthread); return true;
      case Kind::kTcp: Merge(verdict, &out_->tcp_used); return true;
      case Kind::kUdp: Merge(verdict, &out_->udp_used); return true;
      case Kind::kThreshold: return EnterThreshold(test.threshold, verdict);
      default: return false;
    }
  }

  std::optional<uint64_t> BitOf(const KernelTest& test) {
    const std::string key = test.key();
    if (auto known = bits_.find(key); known != bits_.end()) return known->second;
    if (bits_.size() >= bpf::kMaxKernelTests) return std::nullopt;
    const uint64_t bit = uint64_t{1} << bits_.size();
    if (!Enter(test, {.tests = bit})) return std::nullopt;
    bits_.emplace(key, bit);
    return bit;
  }

  bpf::KernelRules* const out_;
  std::map<std::string, bpf::KeyVerdict> comms_;
  std::map<std::string, bpf::KeyVerdict> prefixes_;
  std::map<uint32_t, bpf::KeyVerdict> uids_;
  std::map<uint64_t, bpf::KeyVerdict> cgroups_;
  std::unordered_map<std::string, uint64_t> bits_;
};

}  // namespace

std::vector<PlannedPart> PlanParts(const query::Expression& expression, const HookedMetrics& hooked,
                                   const MachineFacts& facts) {
  const std::vector<const Node*> tests = ReadTests(expression);
  // Tests that stand in a conjunction which the kernel decides.
  std::set<const Node*> decided;
  if (const auto conjunctions = ReadConjunctions(expression)) {
    for (const Conjunction& conjunction : *conjunctions) {
      if (!Read(conjunction, hooked, facts, Action::kTrack).in_kernel) continue;
      for (const Literal& literal : conjunction) decided.insert(literal.test);
    }
  }
  std::vector<PlannedPart> parts;
  for (const Node* node : tests) {
    const KernelTest test = ReadKernelTest(*node, hooked, facts);
    PlannedPart part{.text = TextOf(expression, *node), .stage = test.stage, .how = test.how};
    if (test.stage == v1::KERNEL && !decided.contains(node)) {
      part.stage = v1::USER;
      part.how = "taskmond: it stands beside a test that the kernel cannot decide";
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

std::vector<v1::Stage> StagesOf(const std::vector<PlannedPart>& parts) {
  if (parts.empty()) return {v1::KERNEL};
  std::set<v1::Stage> stages;
  for (const PlannedPart& part : parts) stages.insert(part.stage);
  return {stages.begin(), stages.end()};
}

Plan PushDown(const std::vector<RulePtr>& enabled, const HookedMetrics& hooked, const MachineFacts& facts,
              bool send_unwanted) {
  Plan plan;
  bpf::KernelRules& out = plan.kernel;
  out.send_unwanted = send_unwanted;
  Tables tables(&out);
  for (uint32_t place = 0; place < enabled.size(); ++place) {
    const bpf::RuleRef rule = bpf::MakeRuleRef(place, enabled[place]->rule.action == Action::kDrop);
    const auto conjunctions = ReadConjunctions(enabled[place]->expression);
    bool for_user = !conjunctions.has_value();
    for (size_t i = 0; conjunctions && i < conjunctions->size(); ++i) {
      const KernelConjunction conjunction = Read((*conjunctions)[i], hooked, facts, enabled[place]->rule.action);
      if (!conjunction.possible) continue;
      const bool told = conjunction.in_kernel && tables.Add(conjunction, rule);
      for_user |= !told || conjunction.open;
    }
    plan.kernel_alone.push_back(!for_user);
    if (for_user) out.first_user_rule = std::min(out.first_user_rule, rule);
  }
  tables.Finish();
  return plan;
}

FactsWanted WantedFacts(const std::vector<RulePtr>& enabled) {
  FactsWanted wanted;
  for (const RulePtr& rule : enabled) {
    for (const Node* node : ReadTests(rule->expression)) {
      if (node->kind != Node::Kind::kTest) continue;
      const Attribute attribute = node->test.field->attribute;
      wanted.users |= attribute == Attribute::kUser;
      wanted.cgroups |=
          attribute == Attribute::kCgroup || attribute == Attribute::kUnit || attribute == Attribute::kContainer;
    }
  }
  return wanted;
}

}  // namespace taskmon::rules
