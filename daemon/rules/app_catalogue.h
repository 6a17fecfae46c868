// SPDX-License-Identifier: Apache-2.0
//
// Which well-known application a process belongs to (condition 1). Entries come from TOML: the shipped file
// packaging/apps.toml, of which a copy is compiled in, and before it files of the user. The first entry that fits wins.
//
// Looked up at each exec and rename: entries are indexed by program name, regexes run only for those that the name
// leaves. Immutable once loaded; safe from every thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/rules/app_entry.h"

namespace taskmon::rules {

class AppCatalogue {
 public:
  static constexpr size_t kMaxEntries = 10'000;

  explicit AppCatalogue(std::vector<AppEntry> entries);
  AppCatalogue(AppCatalogue&&) = default;

  // The *.toml files of a directory in the order of their names, then the shipped entries. A directory that is not
  // there is no problem.
  static AppCatalogue Load(const std::string& directory, std::vector<std::string>* problems);

  // The application's name; empty: none. The view lives as long as the catalogue.
  std::string_view Find(std::string_view comm, std::string_view exe, std::string_view cmdline) const;

  size_t size() const { return entries_.size(); }
  std::vector<std::string> names() const;  // each once, sorted

 private:
  using Places = std::vector<uint32_t>;

  void Index(uint32_t place);
  void AddByName(std::string_view program, Places* places) const;

  std::vector<AppEntry> entries_;
  std::unordered_map<std::string, Places> exact_;
  std::map<std::string, Places> prefixes_;
  Places any_program_;
  size_t longest_prefix_ = 0;
};

}  // namespace taskmon::rules
