// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/app_entry.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/query/nearest.h"
#include "daemon/rules/toml_file.h"

namespace taskmon::rules {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxPrograms = 256;

const std::vector<std::string>& Keys() {
  static const std::vector<std::string> keys = {"name", "program", "exe", "cmdline"};
  return keys;
}

// Reads one [[app]] table; the first thing that is wrong with it ends the reading.
class EntryReader {
 public:
  EntryReader(const toml::table& table, const std::string& origin) : table_(table), origin_(origin) {}

  // Empty: fine; otherwise the problem, with file and line.
  std::string Read(AppEntry* entry) {
    CheckKeys();
    Name(entry);
    Programs(entry);
    entry->exe = Pattern("exe");
    entry->cmdline = Pattern("cmdline");
    if (problem_.empty() && entry->programs.empty() && !entry->exe && !entry->cmdline) {
      Complain(table_, "an application needs program, exe or cmdline");
    }
    return problem_;
  }

 private:
  void Complain(const toml::node& node, const std::string& what) {
    if (problem_.empty()) problem_ = fmt::format("{}:{}: {}", origin_, node.source().begin.line, what);
  }

  void CheckKeys() {
    for (const auto& [key, node] : table_) {
      const std::string name = Undisguised(key.str());
      if (std::find(Keys().begin(), Keys().end(), name) != Keys().end()) continue;
      Complain(node, fmt::format("unknown key '{}'{}", name, query::DidYouMean(name, Keys())));
    }
  }

  void Name(AppEntry* entry) {
    const toml::node* node = table_.get("name");
    const auto name = node == nullptr ? std::nullopt : node->value_exact<std::string>();
    if (!name) return Complain(node == nullptr ? table_ : *node, "an application needs a name, such as \"redis\"");
    if (name->size() > kMaxName) return Complain(*node, fmt::format("name longer than {} bytes", kMaxName));
    entry->name = *name;
  }

  void Programs(AppEntry* entry) {
    const toml::node* node = table_.get("program");
    if (node == nullptr) return;
    if (const auto single = node->value_exact<std::string>()) return Program(*node, *single, entry);
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() > kMaxPrograms) {
      return Complain(*node, fmt::format("program must be a name or at most {} names", kMaxPrograms));
    }
    for (const toml::node& element : *array) {
      const auto program = element.value_exact<std::string>();
      if (!program) return Complain(element, "program must be names, such as [\"mysqld\", \"mysqld_safe\"]");
      Program(element, *program, entry);
    }
  }

  void Program(const toml::node& node, const std::string& program, AppEntry* entry) {
    const size_t star = program.find('*');
    if (program.empty() || program.find('/') != std::string::npos) {
      return Complain(node, fmt::format("program '{}' must be a base name; a path goes into exe", program));
    }
    if (star != std::string::npos && (star == 0 || star != program.size() - 1)) {
      return Complain(node, fmt::format("program '{}': * may stand at the end only", program));
    }
    entry->programs.push_back(program);
  }

  std::optional<query::Regex> Pattern(const char* key) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    const auto text = node->value_exact<std::string>();
    if (!text) {
      Complain(*node, fmt::format("{} must be a regular expression in quotes", key));
      return std::nullopt;
    }
    auto regex = query::Regex::Compile(*text);
    if (regex.ok()) return *std::move(regex);
    Complain(*node, fmt::format("{}: {}", key, std::string(regex.status().message())));
    return std::nullopt;
  }

  const toml::table& table_;
  const std::string& origin_;
  std::string problem_;
};

}  // namespace

std::vector<AppEntry> ParseApps(std::string_view text, const std::string& origin, std::vector<std::string>* problems) {
  const absl::StatusOr<toml::table> file = ReadToml(text, origin);
  if (!file.ok()) {
    problems->emplace_back(file.status().message());
    return {};
  }
  std::vector<AppEntry> entries;
  for (const auto& [key, node] : *file) {
    const toml::array* tables = node.as_array();
    if (key.str() != "app" || tables == nullptr || !tables->is_homogeneous(toml::node_type::table)) {
      problems->push_back(fmt::format("{}:{}: expected [[app]] tables, found '{}'", origin, node.source().begin.line,
                                      Undisguised(key.str())));
      continue;
    }
    for (const toml::node& element : *tables) {
      AppEntry entry;
      std::string problem = EntryReader(*element.as_table(), origin).Read(&entry);
      if (problem.empty()) {
        entries.push_back(std::move(entry));
      } else {
        problems->push_back(std::move(problem));
      }
    }
  }
  return entries;
}

}  // namespace taskmon::rules
