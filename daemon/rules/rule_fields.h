// SPDX-License-Identifier: Apache-2.0
//
// The fields of a rule in the words of people, one grammar for the command line, the rule file and the store, and back.
// Each …Text gives a text that its Parse… reads as the same value. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "daemon/rules/rule.h"

namespace taskmon::rules {

inline constexpr size_t kMaxNameLength = 64;
inline constexpr size_t kMaxNoteLength = 1024;
inline constexpr uint32_t kMaxOrder = 1'000'000'000;
inline constexpr uint32_t kMaxTopThreads = 10'000;
inline constexpr uint64_t kMaxHoldNs = 7ull * 86400 * 1'000'000'000;

// All errors are InvalidArgument, one line, and say what would be right.

// Control characters made visible as \n or \x1b, for what is quoted in a message.
std::string OneLine(std::string_view text_untrusted);

// 1 to 64 letters, digits, "-", "_" and ".", beginning with a letter or digit, and more than digits, so that a name is
// never taken for a task or an order.
absl::Status CheckName(std::string_view name_untrusted);
absl::Status CheckOrder(int64_t order_untrusted);
absl::Status CheckNote(std::string_view note_untrusted);

absl::StatusOr<Action> ParseAction(std::string_view text_untrusted);
// "cpu,io"; "all"; "all,-syscall": a word takes what it names, a "-" before it takes it away.
absl::StatusOr<MetricGroups> ParseGroups(std::string_view text_untrusted);
// "none", "top:N", "all"
absl::StatusOr<ThreadDetail> ParseThreads(std::string_view text_untrusted);
// A duration of up to 7 days; "0" for none.
absl::StatusOr<uint64_t> ParseHold(std::string_view text_untrusted);

std::string_view ActionText(Action action);
std::string GroupsText(MetricGroups groups);  // the shorter of "a,b" and "all,-a"; "none" cannot be
std::vector<std::string> GroupNames(MetricGroups groups);
std::string ThreadsText(const ThreadDetail& threads);
std::string HoldText(uint64_t hold_ns);

}  // namespace taskmon::rules
