// SPDX-License-Identifier: Apache-2.0
#include "client/output/escape.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace taskmon::client {
namespace {

struct Range {
  int32_t first;
  int32_t last;
};

bool In(const Range* begin, const Range* end, int32_t c) {
  const Range* it = std::lower_bound(begin, end, c, [](const Range& range, int32_t x) { return range.last < x; });
  return it != end && it->first <= c;
}

bool IsControl(int32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

// Zero-width characters, bidirectional overrides, line and paragraph separators, tags.
bool IsInvisible(int32_t c) {
  static constexpr Range kRanges[] = {{0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f}, {0x2028, 0x202e},
                                      {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
  return In(std::begin(kRanges), std::end(kRanges), c);
}

int WidthOf(int32_t c) {
  static constexpr Range kCombining[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},    {0x610, 0x61a},
                                         {0x64b, 0x65f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},  {0x20d0, 0x20ff},
                                         {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
  static constexpr Range kWide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},  {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},
                                    {0xa960, 0xa97c},   {0xac00, 0xd7a3},  {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                    {0xff00, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
                                    {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
  if (c < 0x300) return 1;
  if (In(std::begin(kCombining), std::end(kCombining), c)) return 0;
  return In(std::begin(kWide), std::end(kWide), c) ? 2 : 1;
}

// Bytes that follow the lead byte, or -1.
int Continuations(unsigned char lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return 1;
  if (lead >= 0xe0 && lead <= 0xef) return 2;
  if (lead >= 0xf0 && lead <= 0xf4) return 3;
  return -1;
}

}  // namespace

int32_t NextCodePoint(std::string_view text, size_t* pos) {
  const size_t start = (*pos)++;
  const auto lead = static_cast<unsigned char>(text[start]);
  if (lead < 0x80) return lead;
  const int more = Continuations(lead);
  if (more < 0 || start + more >= text.size()) return -1;
  int32_t c = lead & (0x3f >> more);
  for (int i = 1; i <= more; ++i) {
    const auto byte = static_cast<unsigned char>(text[start + i]);
    if ((byte & 0xc0) != 0x80) return -1;
    c = c << 6 | (byte & 0x3f);
  }
  static constexpr int32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  if (c < kSmallest[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return -1;
  *pos = start + 1 + more;
  return c;
}

std::string TerminalSafe(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const int32_t c = NextCodePoint(text, &pos);
    if (c < 0 || IsControl(c)) {
      const int32_t shown = c < 0 ? static_cast<unsigned char>(text[start]) : c;
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", shown);
    } else if (IsInvisible(c)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:04x}}}", c);
    } else {
      out.append(text, start, pos - start);
    }
  }
  return out;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  for (size_t pos = 0; pos < text.size();) width += WidthOf(NextCodePoint(text, &pos));
  return width;
}

std::string Cut(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  size_t used = 0;
  size_t end = 0;
  for (size_t pos = 0; pos < text.size(); end = pos) {
    used += WidthOf(NextCodePoint(text, &pos));
    if (used > width - 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const int32_t c = NextCodePoint(text, &pos);
    if (c < 0) {
      out->append("\xef\xbf\xbd");
    } else if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(static_cast<char>(c));
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\t') {
      out->append("\\t");
    } else if (IsControl(c) || IsInvisible(c)) {
      // Tag characters lie above U+FFFF and are harmless in JSON; only the basic plane has a short escape.
      if (c <= 0xffff) {
        fmt::format_to(std::back_inserter(*out), "\\u{:04x}", c);
      } else {
        out->append(text, start, pos - start);
      }
    } else {
      out->append(text, start, pos - start);
    }
  }
  out->push_back('"');
}

std::string CsvField(std::string_view text) {
  std::string out;
  bool quote = false;
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const int32_t c = NextCodePoint(text, &pos);
    quote |= c == '"' || c == ',' || c == '\n' || c == '\r';
    if (c < 0) {
      out.append("\xef\xbf\xbd");
    } else if (c == '"') {
      out.append("\"\"");
    } else if (IsControl(c) && c != '\n' && c != '\r' && c != '\t') {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
    } else {
      out.append(text, start, pos - start);
    }
  }
  return quote ? '"' + out + '"' : out;
}

}  // namespace taskmon::client
