// SPDX-License-Identifier: Apache-2.0
//
// What the kernel can do with one test of an expression: the first step of the push-down plan. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bpf/kernel_rules.h"
#include "daemon/query/expression_node.h"
#include "taskmon/v1/rules.pb.h"

namespace taskmon::rules {

// Which number the hooks keep for a metric, if they do: indexes of enum tm_counter and enum tm_maximum.
struct HookedMetrics {
  std::function<std::optional<uint32_t>(v1::Metric)> counter;
  std::function<std::optional<uint32_t>(v1::Metric)> maximum;
  // The hooks keep what is over; what still goes on is added when the metric is read.
  std::function<bool(v1::Metric)> grows_open;
};

// What taskmond has learnt of this machine, by which tests on names of cgroups and users become look-ups of numbers.
struct MachineFacts {
  struct Cgroup {
    uint64_t id = 0;
    std::string path;
    std::string unit;
    std::string container;
  };
  struct User {
    uint32_t uid = 0;
    std::string name;
  };
  std::vector<Cgroup> cgroups;
  std::vector<User> users;
};

struct KernelTest {
  enum class Kind : uint8_t {
    kNever,      // true of nobody
    kComm,       // exact names
    kPrefix,     // beginnings of names
    kUid,        //
    kKthread,    //
    kTcp,        //
    kUdp,        //
    kCgroup,     // of the cgroups known so far: true of them, but others may come
    kUser,       // of the users known so far, likewise
    kThreshold,  // over what hooks keep
    kNone,       // not for the kernel
  };
  Kind kind = Kind::kNone;
  bool negated = false;  // the test is the opposite: "!=", "!~"
  std::vector<std::string> names;
  std::vector<uint32_t> uids;
  std::vector<uint64_t> cgroups;
  bpf::KernelThreshold threshold;
  bool partial = false;  // the threshold is over a part of what the metric tells

  v1::Stage stage = v1::USER;  // where it is decided when it stands alone
  std::string how;             // for people

  bool in_kernel() const { return kind != Kind::kNone; }
  // The kernel's yes is a yes, its no may be for want of knowledge.
  bool open() const { return kind == Kind::kCgroup || kind == Kind::kUser || partial; }
  // Tests with the same key are the same.
  std::string key() const;
};

// `node` is a kTest, kHeld or kAnomaly.
KernelTest ReadKernelTest(const query::Expression::Node& node, const HookedMetrics& hooked, const MachineFacts& facts);

}  // namespace taskmon::rules
