// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/kernel_test.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/query/regex_literals.h"

namespace taskmon::rules {
namespace {

using query::Attribute;
using query::Operator;
using Kind = KernelTest::Kind;
using Node = query::Expression::Node;

constexpr size_t kCommLength = 15;

// The test with its sense turned to the positive operator.
struct Positive {
  Operator op;
  bool negated;
};

Positive MakePositive(Operator op) {
  if (op == Operator::kNotEqual) return {Operator::kEqual, true};
  if (op == Operator::kMatchesNot) return {Operator::kMatches, true};
  return {op, false};
}

bool IsEquality(Operator op) { return op == Operator::kEqual || op == Operator::kIn; }

void Decide(Kind kind, v1::Stage stage, std::string how, KernelTest* out) {
  out->kind = kind;
  out->stage = stage;
  out->how = std::move(how);
}

void TakeNames(Kind kind, const std::vector<std::string>& names, KernelTest* out) {
  for (const std::string& name : names) {
    if (name.size() <= kCommLength) out->names.push_back(name);
  }
  if (out->names.empty()) {
    return Decide(Kind::kNever, v1::KERNEL, fmt::format("never true: a name has at most {} bytes", kCommLength), out);
  }
  const char* how =
      kind == Kind::kComm ? "exact name: one look-up in a hash" : "how a name begins: one look-up in a trie";
  Decide(kind, v1::KERNEL, how, out);
}

void ReadComm(const query::Test& test, Operator op, KernelTest* out) {
  if (IsEquality(op)) return TakeNames(Kind::kComm, test.texts, out);
  const auto literals = query::LiteralsOf(test.regex->pattern());
  if (literals) return TakeNames(literals->whole ? Kind::kComm : Kind::kPrefix, literals->texts, out);
  Decide(Kind::kNone, v1::USER, "regex: taskmond, once for each new name", out);
}

void ReadUid(const query::Test& test, Operator op, KernelTest* out) {
  if (!IsEquality(op)) return Decide(Kind::kNone, v1::USER, "comparison: taskmond, when the owner changes", out);
  for (double number : test.numbers) {
    if (number >= 0 && number <= UINT32_MAX && number == std::floor(number)) {
      out->uids.push_back(static_cast<uint32_t>(number));
    }
  }
  if (out->uids.empty()) return Decide(Kind::kNever, v1::KERNEL, "never true: no such number", out);
  Decide(Kind::kUid, v1::KERNEL, "owner's number: one look-up in a hash", out);
}

// Whether a text test holds of a text.
bool Holds(const query::Test& test, Operator op, const std::string& text) {
  if (op == Operator::kMatches) return re2::RE2::PartialMatch(text, *test.regex);
  return std::find(test.texts.begin(), test.texts.end(), text) != test.texts.end();
}

const std::string& TextOf(const MachineFacts::Cgroup& cgroup, Attribute attribute) {
  if (attribute == Attribute::kUnit) return cgroup.unit;
  return attribute == Attribute::kContainer ? cgroup.container : cgroup.path;
}

void ReadCgroup(const query::Test& test, Operator op, const MachineFacts& facts, KernelTest* out) {
  for (const MachineFacts::Cgroup& cgroup : facts.cgroups) {
    if (Holds(test, op, TextOf(cgroup, test.field->attribute))) out->cgroups.push_back(cgroup.id);
  }
  Decide(Kind::kCgroup, v1::USER,
         fmt::format("{} cgroup{} known to fit by number in the kernel; a new one by taskmond, once",
                     out->cgroups.size(), out->cgroups.size() == 1 ? "" : "s"),
         out);
}

void ReadUser(const query::Test& test, Operator op, const MachineFacts& facts, KernelTest* out) {
  for (const MachineFacts::User& user : facts.users) {
    if (!user.name.empty() && Holds(test, op, user.name)) out->uids.push_back(user.uid);
  }
  Decide(Kind::kUser, v1::USER,
         fmt::format("{} user{} known to fit by number in the kernel; a new one by taskmond, once", out->uids.size(),
                     out->uids.size() == 1 ? "" : "s"),
         out);
}

// Thresholds in the kernel are "more than"; the numbers there are whole ones of the catalogue's unit.
void ReadMetric(const query::Test& test, const HookedMetrics& hooked, KernelTest* out) {
  Decide(Kind::kNone, v1::TICK, "taskmond, at each tick", out);
  const bool more = test.op == Operator::kGreater || test.op == Operator::kGreaterEqual;
  const MetricDesc& metric = *test.field->metric;
  if (!more || metric.scale != 1 || test.numbers.front() < 0 || test.numbers.front() > 1e18) return;
  const bool counter = metric.kind == v1::COUNTER;
  const auto index = counter ? hooked.counter(metric.id) : hooked.maximum(metric.id);
  if (!index) return;
  const double limit =
      test.op == Operator::kGreater ? std::floor(test.numbers.front()) : std::ceil(test.numbers.front()) - 1;
  if (limit < 0) return;
  const bool rate = counter && test.counter == query::CounterAs::kRate;
  // Rates are fractions: only "more than" a whole number is the same there.
  if (rate && (test.op != Operator::kGreater || test.numbers.front() != limit)) return;
  using Of = bpf::KernelThreshold::Of;
  out->threshold = {.of = counter ? (rate ? Of::kRate : Of::kTotal) : Of::kMaximum,
                    .index = *index,
                    .limit = static_cast<uint64_t>(limit)};
  out->partial = hooked.grows_open(metric.id);
  if (out->partial) {
    return Decide(Kind::kThreshold, v1::TICK, "closed waits in the kernel; those still open by taskmond, at each tick",
                  out);
  }
  Decide(Kind::kThreshold, v1::KERNEL, "fixed threshold over what a hook keeps, at each pass of the iterator", out);
}

KernelTest ReadTest(const query::Test& test, const HookedMetrics& hooked, const MachineFacts& facts) {
  KernelTest out;
  const auto [op, negated] = MakePositive(test.op);
  out.negated = negated;
  switch (test.field->attribute) {
    case Attribute::kComm: ReadComm(test, op, &out); break;
    case Attribute::kUid: ReadUid(test, op, &out); break;
    case Attribute::kUser: ReadUser(test, op, facts, &out); break;
    case Attribute::kCgroup:
    case Attribute::kUnit:
    case Attribute::kContainer: ReadCgroup(test, op, facts, &out); break;
    case Attribute::kKthread:
      // "kthread == false" is "!kthread".
      out.negated = negated != (test.op != Operator::kIsTrue && test.numbers.front() == 0);
      Decide(Kind::kKthread, v1::KERNEL, "a flag of the task", &out);
      break;
    case Attribute::kCmdline: Decide(Kind::kNone, v1::USER, "command line: taskmond, once after exec", &out); break;
    case Attribute::kExe: Decide(Kind::kNone, v1::USER, "executable: taskmond, once after exec", &out); break;
    case Attribute::kApp:
      Decide(Kind::kNone, v1::USER, "application catalogue: taskmond, once for each new name", &out);
      break;
    case Attribute::kAge:
    case Attribute::kTracked:
    case Attribute::kRules: Decide(Kind::kNone, v1::TICK, "taskmond, at each tick", &out); break;
    case Attribute::kMetric: ReadMetric(test, hooked, &out); break;
    default: Decide(Kind::kNone, v1::USER, "taskmond, once after fork or exec", &out); break;
  }
  return out;
}

}  // namespace

std::string KernelTest::key() const {
  return fmt::format("{}:{}:{}:{}:{}:{}:{}", static_cast<int>(kind), fmt::join(names, "\n"), fmt::join(uids, ","),
                     fmt::join(cgroups, ","), static_cast<int>(threshold.of), threshold.index, threshold.limit);
}

KernelTest ReadKernelTest(const Node& node, const HookedMetrics& hooked, const MachineFacts& facts) {
  if (node.kind == Node::Kind::kTest) {
    const query::Test& test = node.test;
    const bool flag = test.op == Operator::kIsTrue && test.field->metric != nullptr;
    if (!flag) return ReadTest(test, hooked, facts);
    KernelTest out;
    const bool tcp = test.field->metric->id == v1::TASK_TCP_USED;
    if (tcp || test.field->metric->id == v1::TASK_UDP_USED) {
      Decide(tcp ? Kind::kTcp : Kind::kUdp, v1::KERNEL, "a flag that the connection hook sets", &out);
    } else {
      Decide(Kind::kNone, v1::TICK, "taskmond, at each tick", &out);
    }
    return out;
  }
  KernelTest out;
  Decide(Kind::kNone, v1::TICK,
         node.kind == Node::Kind::kHeld ? "needs its past: taskmond, at each tick"
                                        : "against the task's own past: taskmond, at each tick",
         &out);
  return out;
}

}  // namespace taskmon::rules
