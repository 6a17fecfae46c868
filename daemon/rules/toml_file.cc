// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/toml_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/query/encode.h"
#include "daemon/rules/rule_fields.h"

namespace taskmon::rules {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
// Byte b becomes the character U+100000 + b: F4 80, then the two bytes that hold b. It is larger than any that toml++
// looks up, and as every byte of the text's own such characters is disguised too, none can be mistaken.
constexpr std::string_view kDisguise = "\xf4\x80";
constexpr size_t kDisguisedBytes = 4;
// How toml++ writes such a character in its messages.
constexpr std::string_view kNamedDisguise = "\\U001000";

bool IsAscii(char c) { return (static_cast<unsigned char>(c) & 0x80) == 0; }

std::string Disguised(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsAscii(c)) {
      out += c;
    } else {
      out += kDisguise;
      out += static_cast<char>(0x80 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

void Restore(toml::node* node) {
  if (toml::value<std::string>* text = node->as_string()) {
    text->get() = Undisguised(text->get());
  } else if (toml::table* table = node->as_table()) {
    for (auto&& [key, value] : *table) Restore(&value);
  } else if (toml::array* array = node->as_array()) {
    for (toml::node& element : *array) Restore(&element);
  }
}

std::string Message(std::string_view text) {
  std::string out(text);
  for (size_t at = 0; (at = out.find(kNamedDisguise, at)) != std::string::npos;) {
    out.replace(at, kNamedDisguise.size(), "\\x");
  }
  return OneLine(Undisguised(out));
}

absl::Status CheckUtf8(std::string_view text, const std::string& origin) {
  const std::string mended = query::MendUtf8(text);
  const auto [wrong, unused] = std::mismatch(text.begin(), text.end(), mended.begin(), mended.end());
  if (wrong == text.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{}:{}: not valid UTF-8", origin, 1 + std::count(text.begin(), wrong, '\n')));
}

}  // namespace

std::string Undisguised(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const bool disguised = text.starts_with(kDisguise) && text.size() >= kDisguisedBytes;
    out += disguised ? static_cast<char>((text[2] & 0x03) << 6 | (text[3] & 0x3f)) : text[0];
    text.remove_prefix(disguised ? kDisguisedBytes : 1);
  }
  return out;
}

absl::StatusOr<toml::table> ReadToml(std::string_view text, const std::string& origin) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (absl::Status status = CheckUtf8(text, origin); !status.ok()) return status;
  try {  // toml++ reports errors by exception; they end here
    toml::table table = toml::parse(Disguised(text));
    Restore(&table);
    return table;
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}:{}: {}", origin, error.source().begin.line, Message(error.description())));
  }
}

}  // namespace taskmon::rules
