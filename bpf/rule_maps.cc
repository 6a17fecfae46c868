// SPDX-License-Identifier: Apache-2.0
#include "bpf/rule_maps.h"

#include <absl/container/flat_hash_set.h>
#include <absl/status/statusor.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace taskmon::bpf {
namespace {

constexpr size_t kMaxNameBytes = TM_COMM_LEN - 1;

static_assert(kMaxKernelTerms == TM_MAX_TERMS && kMaxKernelThresholds == TM_MAX_THRESHOLDS);
static_assert(kNoRule == TM_NO_RULE && kMaxUserVerdicts == TM_MAX_VERDICTS);

absl::Status CheckCount(const char* what, size_t count, size_t limit) {
  if (count <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} {} for the kernel: at most {} fit", count, what, limit));
}

template <typename Key>
absl::Status CheckUnique(const char* what, const std::vector<std::pair<Key, KeyVerdict>>& entries) {
  absl::flat_hash_set<Key> known;
  for (const auto& [key, verdict] : entries) {
    if (!known.insert(key).second) return absl::InvalidArgumentError(fmt::format("{} {} stands twice", what, key));
  }
  return absl::OkStatus();
}

absl::Status CheckNames(const char* what, const std::vector<std::pair<std::string, KeyVerdict>>& names) {
  if (absl::Status count = CheckCount(what, names.size(), kMaxKernelNames); !count.ok()) return count;
  for (const auto& [name, verdict] : names) {
    if (name.size() > kMaxNameBytes)
      return absl::InvalidArgumentError(
          fmt::format("a name in the kernel has at most {} bytes: {}", kMaxNameBytes, name));
    if (name.find('\0') != std::string::npos) return absl::InvalidArgumentError("a name holds a NUL");
  }
  return CheckUnique("name", names);
}

absl::Status CheckThreshold(const KernelThreshold& threshold) {
  const bool maximum = threshold.of == KernelThreshold::Of::kMaximum;
  const uint32_t first = maximum ? 0 : TM_C_HOOKED;
  const uint32_t end = maximum ? +TM_M_MAX : +TM_C_MAX;
  if (threshold.index >= first && threshold.index < end) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("the kernel keeps no {} {} to watch: {} to {} it does",
                                                maximum ? "maximum" : "counter", threshold.index, first, end - 1));
}

absl::Status Check(const KernelRules& rules) {
  absl::Status first;
  first.Update(CheckNames("names", rules.comms));
  first.Update(CheckNames("prefixes", rules.prefixes));
  first.Update(CheckCount("owners", rules.uids.size(), kMaxKernelNames));
  first.Update(CheckUnique("owner", rules.uids));
  first.Update(CheckCount("cgroups", rules.cgroups.size(), kMaxKernelNames));
  first.Update(CheckUnique("cgroup", rules.cgroups));
  first.Update(CheckCount("thresholds", rules.thresholds.size(), kMaxKernelThresholds));
  first.Update(CheckCount("terms", rules.terms.size(), kMaxKernelTerms));
  for (const KernelThreshold& threshold : rules.thresholds) first.Update(CheckThreshold(threshold));
  return first;
}

tm_key_verdict Verdict(const KeyVerdict& verdict) { return {.rule = verdict.rule, .pad = 0, .tests = verdict.tests}; }

tm_rule_key Key(tm_rule_key_kind kind, std::string_view name) {
  tm_rule_key key{};
  key.kind = kind;
  std::memcpy(key.value, name.data(), name.size());
  return key;
}

tm_rule_key Key(tm_rule_key_kind kind, uint64_t number) {
  tm_rule_key key{};
  key.kind = kind;
  key.value[0] = number;
  return key;
}

tm_prefix_key PrefixKey(const std::string& prefix) {
  tm_prefix_key key{};
  key.bits = static_cast<uint32_t>(8 * prefix.size());
  std::memcpy(key.name, prefix.data(), prefix.size());
  return key;
}

// A map made for one set, with room for that and no more. Closed here, it lives on in the outer map.
class InnerMap {
 public:
  InnerMap(bpf_map_type type, uint32_t flags, const char* name, size_t key_size, size_t entries) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
    fd_ = bpf_map_create(type, name, static_cast<uint32_t>(key_size), sizeof(tm_key_verdict),
                         static_cast<uint32_t>(std::max<size_t>(entries, 1)), &options);
    if (fd_ < 0) Note(errno);
  }
  ~InnerMap() {
    if (fd_ >= 0) close(fd_);
  }
  InnerMap(const InnerMap&) = delete;
  InnerMap& operator=(const InnerMap&) = delete;

  void Put(const tm_prefix_key& key, const KeyVerdict& verdict) {
    const tm_key_verdict value = Verdict(verdict);
    if (error_ == 0 && bpf_map_update_elem(fd_, &key, &value, BPF_NOEXIST) != 0) Note(errno);
  }
  // All in one call, which hashes have had since 5.6: 60,000 calls would keep the caller for a quarter of a second.
  void Put(const std::vector<tm_rule_key>& keys, const std::vector<tm_key_verdict>& values) {
    LIBBPF_OPTS(bpf_map_batch_opts, options);
    auto count = static_cast<uint32_t>(keys.size());
    if (error_ != 0 || keys.empty()) return;
    if (bpf_map_update_batch(fd_, keys.data(), values.data(), &count, &options) != 0) Note(errno);
  }
  // Puts it into `outer`, and so drops the map that was there before.
  absl::Status Install(int outer, uint32_t index) {
    if (error_ == 0 && bpf_map_update_elem(outer, &index, &fd_, BPF_ANY) != 0) Note(errno);
    if (error_ == 0) return absl::OkStatus();
    return absl::ResourceExhaustedError(fmt::format("no room for the rules in the kernel: {}", std::strerror(error_)));
  }

 private:
  void Note(int error) {
    if (error_ == 0) error_ = error;
  }

  int fd_ = -1;
  int error_ = 0;
};

void FillKeys(const KernelRules& rules, InnerMap& map) {
  std::vector<tm_rule_key> keys;
  std::vector<tm_key_verdict> values;
  auto put = [&](const tm_rule_key& key, const KeyVerdict& verdict) {
    keys.push_back(key);
    values.push_back(Verdict(verdict));
  };
  for (const auto& [name, verdict] : rules.comms) put(Key(TM_KEY_COMM, name), verdict);
  for (const auto& [uid, verdict] : rules.uids) put(Key(TM_KEY_UID, uid), verdict);
  for (const auto& [cgroup, verdict] : rules.cgroups) put(Key(TM_KEY_CGROUP, cgroup), verdict);
  map.Put(keys, values);
}

uint32_t ValueOf(const KernelThreshold& threshold) {
  switch (threshold.of) {
    case KernelThreshold::Of::kTotal: return TM_VALUE_TOTAL + threshold.index - TM_C_HOOKED;
    case KernelThreshold::Of::kRate: return TM_VALUE_RATE + threshold.index - TM_C_HOOKED;
    case KernelThreshold::Of::kMaximum: break;
  }
  return TM_VALUE_MAXIMUM + threshold.index;
}

tm_threshold Threshold(const KernelThreshold& threshold) {
  return {.value = ValueOf(threshold), .pad = 0, .limit = threshold.limit, .verdict = Verdict(threshold.verdict)};
}

uint32_t KeyKinds(const KernelRules& rules) {
  return (rules.comms.empty() ? 0 : 1u << TM_KEY_COMM) | (rules.uids.empty() ? 0 : 1u << TM_KEY_UID) |
         (rules.cgroups.empty() ? 0 : 1u << TM_KEY_CGROUP);
}

// Rules of user space may be about anything.
uint32_t Matters(const KernelRules& rules) {
  const bool for_user = rules.first_user_rule != kNoRule;
  const bool about_kthreads = rules.kthread.rule != kNoRule || rules.kthread.tests != 0;
  return (for_user || !rules.uids.empty() ? +TM_FACT_OWNER : 0) |
         (for_user || !rules.cgroups.empty() ? +TM_FACT_CGROUP : 0) | (about_kthreads ? +TM_FACT_KTHREAD : 0);
}

bool SameThresholds(const tm_rule_set& a, const tm_rule_set& b) {
  if (a.threshold_count != b.threshold_count) return false;
  for (uint32_t i = 0; i < a.threshold_count; ++i) {
    const tm_threshold &x = a.thresholds[i], &y = b.thresholds[i];
    if (x.value != y.value || x.limit != y.limit) return false;
  }
  return true;
}

}  // namespace

absl::Status RuleMaps::Set(const KernelRules& rules, uint32_t epoch) {
  if (absl::Status valid = Check(rules); !valid.ok()) return valid;
  InnerMap keys(BPF_MAP_TYPE_HASH, 0, "tm_rule_keys", sizeof(tm_rule_key),
                rules.comms.size() + rules.uids.size() + rules.cgroups.size());
  InnerMap prefixes(BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, "tm_rule_names", sizeof(tm_prefix_key),
                    rules.prefixes.size());
  FillKeys(rules, keys);
  for (const auto& [prefix, verdict] : rules.prefixes) prefixes.Put(PrefixKey(prefix), verdict);
  const uint32_t before = shared_->active;
  const uint32_t index = before ^ 1;
  if (absl::Status installed = keys.Install(fds_.keys, index); !installed.ok()) return installed;
  if (absl::Status installed = prefixes.Install(fds_.prefixes, index); !installed.ok()) return installed;
  FillSet(rules, index);
  if (shared_->sets[before].threshold_count == 0) shared_->watched_since = epoch;
  __atomic_store_n(&shared_->active, index, __ATOMIC_RELEASE);
  // Once more, for the wait: the update of an outer map returns only when every program that was running is done, and
  // so nobody reads the other set any longer. It cannot fail where it has just succeeded.
  return keys.Install(fds_.keys, index);
}

void RuleMaps::FillSet(const KernelRules& rules, uint32_t index) {
  const tm_rule_set& before = shared_->sets[index ^ 1];
  tm_rule_set set{};
  set.generation = before.generation + 1;
  set.version = rules.version;
  set.send_unwanted = rules.send_unwanted;
  set.first_user_rule = rules.first_user_rule;
  set.keys = KeyKinds(rules);
  set.matters = Matters(rules);
  set.prefixes = static_cast<uint32_t>(rules.prefixes.size());
  set.kthread = Verdict(rules.kthread);
  set.tcp_used = Verdict(rules.tcp_used);
  set.udp_used = Verdict(rules.udp_used);
  for (const KernelThreshold& threshold : rules.thresholds) {
    set.thresholds[set.threshold_count++] = Threshold(threshold);
  }
  for (const KernelTerm& term : rules.terms) {
    set.terms[set.term_count++] = {.yes = term.yes, .no = term.no, .rule = term.rule, .pad = 0};
  }
  set.thresholds_id = SameThresholds(set, before) ? before.thresholds_id : before.thresholds_id + 1;
  shared_->sets[index] = set;
}

absl::Status RuleMaps::Answer(std::span<const UserVerdict> verdicts) {
  const uint64_t dropped_before = dropped_verdicts_;
  const bool some_wait = !answered_.empty();
  for (const UserVerdict& verdict : verdicts) {
    const tm_process_key key{.start_ns = verdict.start_ns, .tgid = verdict.tgid, .pad = 0};
    tm_user_verdict value{.seq = 0, .wanted = true, .used = 0};
    // What waits for the process already is added to, not replaced. Finding nothing leaves the value alone.
    if (some_wait) bpf_map_lookup_elem(fds_.verdicts, &key, &value);
    if (verdict.decision_seq != 0) {
      value.seq = verdict.decision_seq;
      value.wanted = verdict.wanted;
    }
    value.used |= verdict.used;
    if (bpf_map_update_elem(fds_.verdicts, &key, &value, BPF_ANY) != 0) {
      ++dropped_verdicts_;
      continue;
    }
    answered_.push_back(key);
    *waiting_ = 1;
    // The next pass is to come to it, even if it is idle. The array covers every tid: it cannot fail.
    const uint32_t slot = static_cast<uint32_t>(verdict.tgid) & (TM_SENT_SLOTS - 1);
    const uint64_t unsent = 0;
    bpf_map_update_elem(fds_.sent, &slot, &unsent, BPF_ANY);
  }
  const uint64_t dropped = dropped_verdicts_ - dropped_before;
  if (dropped == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(fmt::format("{} of {} verdicts dropped: at most {} between two passes", dropped,
                                                  verdicts.size(), kMaxUserVerdicts));
}

void RuleMaps::ForgetAnswers() {
  *waiting_ = 0;
  for (const tm_process_key& key : answered_) bpf_map_delete_elem(fds_.verdicts, &key);  // may stand twice: gone then
  answered_.clear();
}

LeftOut RuleMaps::CountLeftOut() const {
  uint64_t sums[TM_LEFT_OUT_MAX] = {};
  std::vector<uint64_t> per_cpu(static_cast<size_t>(libbpf_num_possible_cpus()));
  for (uint32_t which = 0; which < TM_LEFT_OUT_MAX; ++which) {
    // Cannot fail: the index is in range.
    if (bpf_map_lookup_elem(fds_.left_out, &which, per_cpu.data()) != 0) continue;
    for (uint64_t count : per_cpu) sums[which] += count;
  }
  LeftOut left_out;
  left_out.lives = sums[TM_LEFT_OUT_LIVES];
  left_out.records = sums[TM_LEFT_OUT_RECORDS];
  left_out.live_ns = sums[TM_LEFT_OUT_LIVE_NS];
  left_out.dead_ns = sums[TM_LEFT_OUT_DEAD_NS];
  return left_out;
}

}  // namespace taskmon::bpf
