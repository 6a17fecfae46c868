// SPDX-License-Identifier: Apache-2.0
#include "client/output/wrap.h"

#include <algorithm>

#include "client/output/escape.h"

namespace taskmon::client {

std::string Wrapped(std::string_view text, size_t indent, size_t width) {
  std::string wrapped;
  size_t used = indent;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const size_t word = DisplayWidth(text.substr(0, end));
    if (width != 0 && used > indent && used + 1 + word > width) {
      wrapped += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (used > indent) {
      wrapped += ' ';
      ++used;
    }
    wrapped += text.substr(0, end);
    used += word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return wrapped;
}

}  // namespace taskmon::client
