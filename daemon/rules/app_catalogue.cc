// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/app_catalogue.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "daemon/rules/default_apps.h"

namespace taskmon::rules {
namespace {

constexpr size_t kCommLength = 15;
constexpr uintmax_t kMaxFileBytes = 1 << 20;

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// "/usr/sbin/nginx (deleted)" after an upgrade is still nginx.
std::string_view WithoutDeleted(std::string_view exe) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (exe.ends_with(kDeleted)) exe.remove_suffix(kDeleted.size());
  return exe;
}

std::vector<std::string> TomlFiles(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;  // a directory that is not there has no files
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".toml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void ReadEntries(const std::string& path, std::vector<AppEntry>* entries, std::vector<std::string>* problems) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  std::ifstream file(path);
  if (error || !file) return problems->push_back(fmt::format("{}: cannot be read", path));
  if (bytes > kMaxFileBytes) return problems->push_back(fmt::format("{}: larger than {} bytes", path, kMaxFileBytes));
  std::ostringstream text;
  text << file.rdbuf();
  for (AppEntry& entry : ParseApps(text.str(), path, problems)) entries->push_back(std::move(entry));
}

}  // namespace

AppCatalogue::AppCatalogue(std::vector<AppEntry> entries) : entries_(std::move(entries)) {
  for (uint32_t place = 0; place < entries_.size(); ++place) Index(place);
}

AppCatalogue AppCatalogue::Load(const std::string& directory, std::vector<std::string>* problems) {
  std::vector<AppEntry> entries;
  if (!directory.empty()) {
    for (const std::string& path : TomlFiles(directory)) ReadEntries(path, &entries, problems);
  }
  std::vector<AppEntry> shipped = ParseApps(DefaultAppText(), "apps.toml", problems);
  if (entries.size() + shipped.size() > kMaxEntries) {
    problems->push_back(fmt::format("{}: more than {} entries; the last are left out", directory, kMaxEntries));
    entries.erase(entries.begin() + static_cast<ptrdiff_t>(kMaxEntries - shipped.size()), entries.end());
  }
  std::move(shipped.begin(), shipped.end(), std::back_inserter(entries));
  return AppCatalogue(std::move(entries));
}

void AppCatalogue::Index(uint32_t place) {
  if (entries_[place].programs.empty()) any_program_.push_back(place);
  for (const std::string& program : entries_[place].programs) {
    if (program.ends_with('*')) {
      prefixes_[program.substr(0, program.size() - 1)].push_back(place);
      longest_prefix_ = std::max(longest_prefix_, program.size() - 1);
      continue;
    }
    exact_[program].push_back(place);
    // The kernel cuts a comm.
    if (program.size() > kCommLength) exact_[program.substr(0, kCommLength)].push_back(place);
  }
}

void AppCatalogue::AddByName(std::string_view program, Places* places) const {
  auto add = [places](const Places& more) { places->insert(places->end(), more.begin(), more.end()); };
  if (auto known = exact_.find(std::string(program)); known != exact_.end()) add(known->second);
  if (prefixes_.empty()) return;
  for (size_t length = 1; length <= std::min(program.size(), longest_prefix_); ++length) {
    if (auto known = prefixes_.find(std::string(program.substr(0, length))); known != prefixes_.end()) {
      add(known->second);
    }
  }
}

std::string_view AppCatalogue::Find(std::string_view comm, std::string_view exe, std::string_view cmdline) const {
  const std::string_view path = WithoutDeleted(exe);
  Places places = any_program_;
  AddByName(comm, &places);
  if (const std::string_view base = BaseName(path); base != comm) AddByName(base, &places);
  std::sort(places.begin(), places.end());
  for (uint32_t place : places) {
    const AppEntry& entry = entries_[place];
    if (entry.exe && !entry.exe->Finds(path)) continue;
    if (entry.cmdline && !entry.cmdline->Finds(cmdline)) continue;
    return entry.name;
  }
  return {};
}

std::vector<std::string> AppCatalogue::names() const {
  std::set<std::string> names;
  for (const AppEntry& entry : entries_) {
    if (!entry.name.empty()) names.insert(entry.name);
  }
  return {names.begin(), names.end()};
}

}  // namespace taskmon::rules
