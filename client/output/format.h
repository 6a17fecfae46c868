// SPDX-License-Identifier: Apache-2.0
//
// The output formats (-o), and what a person chose about the shape of the output. A value, filled by cli.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskmon::client {

enum class Format { kTable, kWide, kJson, kJsonl, kCsv, kMarkdown, kOpenMetrics, kPrometheus };

inline constexpr std::string_view kFormatNames[] = {"table", "wide",     "json",        "jsonl",
                                                    "csv",   "markdown", "openmetrics", "prometheus"};

inline std::string_view FormatName(Format format) { return kFormatNames[static_cast<int>(format)]; }

inline std::optional<Format> ParseFormat(std::string_view name) {
  for (int i = 0; i < static_cast<int>(std::size(kFormatNames)); ++i) {
    if (kFormatNames[i] == name) return static_cast<Format>(i);
  }
  return std::nullopt;
}

inline bool IsTable(Format format) { return format == Format::kTable || format == Format::kWide; }

}  // namespace taskmon::client
