// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/rule_fields.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/query/nearest.h"
#include "daemon/query/time_spec.h"
#include "proto/catalogue.h"

namespace taskmon::rules {
namespace {

// What is quoted back of a wrong text.
constexpr size_t kMostQuoted = 40;

struct HoldUnit {
  uint64_t ns;
  const char* name;
};

constexpr HoldUnit kHoldUnits[] = {
    {86400ull * 1'000'000'000, "d"},
    {3600ull * 1'000'000'000, "h"},
    {60ull * 1'000'000'000, "m"},
    {1'000'000'000, "s"},
    {1'000'000, "ms"},
    {1'000, "us"},
    {1, "ns"},
};

std::string Quoted(std::string_view text) {
  const std::string_view shown = text.substr(0, kMostQuoted);
  return fmt::format("'{}{}'", OneLine(shown), shown.size() < text.size() ? "…" : "");
}

absl::Status Wrong(std::string_view text, std::string_view expected, const std::vector<std::string>& known = {}) {
  return absl::InvalidArgumentError(
      fmt::format("{} is not {}{}", Quoted(text), expected, query::DidYouMean(text, known)));
}

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::vector<std::string> KnownGroupWords() {
  std::vector<std::string> words = GroupNames(AllGroups());
  words.emplace_back("all");
  return words;
}

// The groups that one word names; no bit: unknown.
MetricGroups GroupsOfWord(std::string_view word) {
  if (word == "all") return AllGroups();
  MetricGroups groups;
  const v1::Group group = FindGroup(word);
  if (group != v1::GROUP_UNSPECIFIED) groups.set(group);
  return groups;
}

}  // namespace

MetricGroups AllGroups() {
  MetricGroups groups;
  static_assert(v1::Group_MAX < 32);
  for (int i = 1; i <= v1::Group_MAX; ++i) groups.set(i, v1::Group_IsValid(i));
  return groups;
}

MetricGroups DefaultGroups() { return AllGroups().reset(v1::SYSCALL); }

std::string OneLine(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

absl::Status CheckName(std::string_view name) {
  const auto allowed = [](char c) { return IsAsciiLetter(c) || IsAsciiDigit(c) || c == '-' || c == '_' || c == '.'; };
  const bool good = !name.empty() && name.size() <= kMaxNameLength && std::all_of(name.begin(), name.end(), allowed) &&
                    (IsAsciiLetter(name[0]) || IsAsciiDigit(name[0])) &&
                    !std::all_of(name.begin(), name.end(), IsAsciiDigit);
  if (good) return absl::OkStatus();
  return Wrong(name, fmt::format("a name: 1 to {} letters, digits, '-', '_' and '.', beginning with a letter or digit, "
                                 "and not a number",
                                 kMaxNameLength));
}

absl::Status CheckOrder(int64_t order) {
  if (order >= 1 && order <= kMaxOrder) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} is not a whole number from 1 to {}", order, kMaxOrder));
}

absl::Status CheckNote(std::string_view note) {
  if (note.size() <= kMaxNoteLength) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} bytes are more than the {} a note may have", note.size(), kMaxNoteLength));
}

absl::StatusOr<Action> ParseAction(std::string_view text) {
  if (text == "track") return Action::kTrack;
  if (text == "drop") return Action::kDrop;
  return Wrong(text, "'track' or 'drop'", {"track", "drop"});
}

absl::StatusOr<MetricGroups> ParseGroups(std::string_view text) {
  MetricGroups groups;
  for (std::string_view rest = text; !rest.empty() || text.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    std::string_view word = Trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const bool away = !word.empty() && word[0] == '-';
    if (away) word.remove_prefix(1);
    const MetricGroups named = GroupsOfWord(word);
    if (named.none()) {
      return Wrong(word, fmt::format("a metric group: {}", fmt::join(KnownGroupWords(), ", ")), KnownGroupWords());
    }
    groups = away ? groups & ~named : groups | named;
    if (text.empty()) break;
  }
  if (groups.any()) return groups;
  return Wrong(text, "a list that leaves any metric group; name at least one");
}

absl::StatusOr<ThreadDetail> ParseThreads(std::string_view text) {
  using Mode = ThreadDetail::Mode;
  constexpr std::string_view kTop = "top:";
  if (text == "none") return ThreadDetail{.mode = Mode::kNone};
  if (text == "all") return ThreadDetail{.mode = Mode::kAll};
  if (text.starts_with(kTop)) {
    uint32_t top = 0;
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data() + kTop.size(), last, top);
    if (error == std::errc() && end == last && top >= 1 && top <= kMaxTopThreads) {
      return ThreadDetail{.mode = Mode::kTop, .top = top};
    }
  }
  return Wrong(text, fmt::format("'none', 'all' or 'top:N' with N from 1 to {}", kMaxTopThreads));
}

absl::StatusOr<uint64_t> ParseHold(std::string_view text) {
  if (text == "0" || text == "0s") return 0;
  const absl::StatusOr<int64_t> duration = query::ParseDuration(text);
  if (duration.ok() && static_cast<uint64_t>(*duration) <= kMaxHoldNs) return static_cast<uint64_t>(*duration);
  return Wrong(text, "a duration from 0 to 7d, such as 90s or 5m");
}

std::string_view ActionText(Action action) { return action == Action::kDrop ? "drop" : "track"; }

std::vector<std::string> GroupNames(MetricGroups groups) {
  std::vector<std::string> names;
  for (int i = 1; i <= v1::Group_MAX; ++i) {
    if (groups.test(i)) names.emplace_back(GroupName(static_cast<v1::Group>(i)));
  }
  return names;
}

std::string GroupsText(MetricGroups groups) {
  const std::string named = fmt::format("{}", fmt::join(GroupNames(groups), ","));
  std::string without = "all";
  for (const std::string& name : GroupNames(AllGroups() & ~groups)) without += ",-" + name;
  return without.size() < named.size() ? without : named;
}

std::string ThreadsText(const ThreadDetail& threads) {
  switch (threads.mode) {
    case ThreadDetail::Mode::kNone: return "none";
    case ThreadDetail::Mode::kTop: return fmt::format("top:{}", threads.top);
    case ThreadDetail::Mode::kAll: break;
  }
  return "all";
}

std::string HoldText(uint64_t hold_ns) {
  if (hold_ns == 0) return "0";
  for (const HoldUnit& unit : kHoldUnits) {
    if (hold_ns % unit.ns == 0) return fmt::format("{}{}", hold_ns / unit.ns, unit.name);
  }
  return fmt::format("{}ns", hold_ns);
}

}  // namespace taskmon::rules
