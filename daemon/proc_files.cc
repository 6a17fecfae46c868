// SPDX-License-Identifier: Apache-2.0
#include "daemon/proc_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <sstream>

namespace taskmon::daemon {

std::string ReadUpTo(const std::string& path, size_t limit) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text(limit, '\0');
  size_t length = 0;
  while (length < limit) {
    const ssize_t n = read(fd, text.data() + length, limit - length);
    if (n <= 0) break;
    length += static_cast<size_t>(n);
  }
  close(fd);
  text.resize(length);
  text.shrink_to_fit();  // what is read here may wait, by the thousand
  return text;
}

bool StartedAt(const std::string& stat, uint64_t start_ns) {
  const size_t paren = stat.rfind(')');  // comm may hold blanks and parentheses
  if (paren == std::string::npos) return false;
  std::istringstream rest(stat.substr(paren + 1));
  std::string skipped;
  constexpr int kFieldsBeforeStart = 19;  // starttime is the 22nd field, the first after comm is the 3rd
  for (int i = 0; i < kFieldsBeforeStart; ++i) rest >> skipped;
  uint64_t ticks = 0;
  if (!(rest >> ticks)) return false;
  const uint64_t tick_ns = 1'000'000'000ull / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return ticks == start_ns / tick_ns;
}

}  // namespace taskmon::daemon
