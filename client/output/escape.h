// SPDX-License-Identifier: Apache-2.0
//
// Makes arbitrary bytes fit for a terminal, for JSON and for CSV. Task names and command lines are chosen by whoever
// runs the task: they may hold invalid UTF-8, newlines, terminal escape sequences and characters that reorder text.
// Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace taskmon::client {

// The code point at text[*pos], with *pos moved behind it; -1 for a byte that begins no valid UTF-8 sequence (overlong
// forms, surrogates and values over U+10FFFF are invalid), with *pos moved by one. Precondition: *pos < text.size().
int32_t NextCodePoint(std::string_view text, size_t* pos);

// Nothing in the result moves the cursor or changes the terminal: control bytes and invalid ones become \xNN, invisible
// and reordering characters \u{NNNN}. Everything else stays as it is.
std::string TerminalSafe(std::string_view text);

// Columns that TerminalSafe text takes on a terminal: 2 for East Asian wide characters, 0 for combining ones.
size_t DisplayWidth(std::string_view text);

// The text if it fits into `width` columns, otherwise its beginning with "…" as last column.
std::string Cut(std::string_view text, size_t width);

// Appends the text as a quoted JSON string. The result is valid UTF-8: invalid bytes become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);

// One CSV field, quoted where RFC 4180 asks for it. Valid UTF-8; control characters other than tab, CR and LF become
// \xNN, for CSV is looked at on terminals too.
std::string CsvField(std::string_view text);

}  // namespace taskmon::client
