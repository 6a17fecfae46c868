// SPDX-License-Identifier: Apache-2.0
//
// What standard output is: how wide, whether a person sits in front of it, whether bold type is welcome. Read once at
// start from COLUMNS, NO_COLOR, TERM and the descriptor; a value afterwards.
#pragma once

#include <cstddef>

namespace taskmon::client {

struct Terminal {
  bool is_terminal = false;
  bool color = false;  // a terminal, and NO_COLOR is unset
  size_t width = 0;    // columns; 0: unlimited (a pipe or file, and COLUMNS is unset)
};

Terminal InspectTerminal(int fd);

}  // namespace taskmon::client
