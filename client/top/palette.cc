// SPDX-License-Identifier: Apache-2.0
#include "client/top/palette.h"

#include <algorithm>

#include <fmt/format.h>

#include "client/suggest.h"
#include "client/top/column.h"
#include "client/top/view.h"
#include "daemon/query/field.h"

namespace taskmon::client::top {
namespace {

// In the order of their names.
constexpr PaletteEntry kEntries[] = {
    {Verb::kColumns, "columns", "LIST", "just these, as cpu,rss,net_rx; default: as before"},
    {Verb::kFilter, "filter", "EXPR", "only tasks that match: comm == nginx && cpu > 50%; nothing: all"},
    {Verb::kFold, "fold", "", "many siblings of one name as one line"},
    {Verb::kGroup, "group", "BY", "program, app, user, unit, container or none"},
    {Verb::kHelp, "help", "", "the keys"},
    {Verb::kJump, "jump", "TIME", "14:30, -10m, +1h, yesterday 03:12, now"},
    {Verb::kLive, "live", "", "what is now; of a file its end"},
    {Verb::kQuit, "quit", "", "leave"},
    {Verb::kSort, "sort", "FIELD", "largest first; a second time turns it round"},
    {Verb::kThreads, "threads", "", "threads or processes"},
    {Verb::kTree, "tree", "", "as a tree or as a list"},
    {Verb::kUnfold, "unfold", "", "each sibling on a line of its own"}};

std::string_view NameIn(std::string_view text) { return text.substr(0, std::min(text.find(' '), text.size())); }

std::string_view ArgumentIn(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ', NameIn(text).size());
  return begin == std::string_view::npos ? "" : text.substr(begin);
}

bool NeedsArgument(Verb verb) {
  return verb == Verb::kColumns || verb == Verb::kGroup || verb == Verb::kJump || verb == Verb::kSort;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const PaletteEntry& entry : kEntries) names.emplace_back(entry.name);
  return names;
}

std::vector<std::string> With(std::vector<std::string> words, const char* more) {
  words.insert(std::lower_bound(words.begin(), words.end(), more), more);
  return words;
}

std::vector<std::string> Groupings() {
  std::vector<std::string> names;
  for (Grouping each = Grouping::kProgram; each != Grouping::kNone; each = NextGrouping(each)) {
    names.emplace_back(GroupingName(each));
  }
  std::sort(names.begin(), names.end());
  return With(std::move(names), "none");
}

}  // namespace

std::vector<const PaletteEntry*> PaletteMatches(std::string_view text) {
  const std::string_view name = NameIn(text);
  const bool whole = name.size() < text.size();  // a blank follows: it is no beginning any more
  std::vector<const PaletteEntry*> matches;
  for (const PaletteEntry& entry : kEntries) {
    if (entry.name == name) return {&entry};
    if (entry.name.starts_with(name)) matches.push_back(&entry);
  }
  return whole && matches.size() > 1 ? std::vector<const PaletteEntry*>() : matches;
}

std::vector<std::string> PaletteWords(std::string_view text) {
  if (NameIn(text).size() == text.size()) return Names();
  const auto matches = PaletteMatches(text);
  if (matches.size() != 1) return {};
  switch (matches.front()->verb) {
    case Verb::kColumns: return With(ColumnNames(), "default");
    case Verb::kFilter: return FilterWords();
    case Verb::kGroup: return Groupings();
    case Verb::kJump: return {"now", "yesterday"};
    case Verb::kSort: return ColumnNames();
    default: return {};
  }
}

absl::StatusOr<Typed> ParsePalette(std::string_view text) {
  const auto matches = PaletteMatches(text);
  const std::string name(NameIn(text));
  if (matches.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("no command '{}'{}", name, SuggestOr(name, Names(), "Tab lists them")));
  }
  if (matches.size() > 1) {
    return absl::InvalidArgumentError(fmt::format("'{}' may be {} or {}", name, matches[0]->name, matches[1]->name));
  }
  const PaletteEntry& entry = *matches.front();
  const std::string argument(ArgumentIn(text));
  if (argument.empty() && NeedsArgument(entry.verb)) {
    return absl::InvalidArgumentError(fmt::format("{} {}: {}", entry.name, entry.argument, entry.help));
  }
  if (!argument.empty() && entry.argument.empty()) {
    return absl::InvalidArgumentError(fmt::format("{} takes nothing more", entry.name));
  }
  return Typed{entry.verb, argument};
}

std::vector<std::string> FilterWords() {
  std::vector<std::string> words = query::FieldNames();
  words.insert(words.end(), {"anomaly", "for", "in", "total"});
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace taskmon::client::top
