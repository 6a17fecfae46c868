// SPDX-License-Identifier: Apache-2.0
//
// The terminal as top uses it; the only place that knows curses. One at a time, from one thread. The destructor gives
// the terminal back as it was.
#pragma once

#include <optional>

#include "client/top/cell_buffer.h"
#include "client/top/key.h"

namespace taskmon::client::top {

class CursesTerminal {
 public:
  // Whether TERM names a terminal that can be drawn on.
  static bool Usable();

  explicit CursesTerminal(bool color);
  ~CursesTerminal();
  CursesTerminal(const CursesTerminal&) = delete;
  CursesTerminal& operator=(const CursesTerminal&) = delete;

  int width() const;
  int height() const;
  // Looks how large the window is now.
  void Measure();

  void Show(const CellBuffer& cells);
  // What was typed or clicked and not yet taken; nullopt: nothing.
  std::optional<Key> ReadKey();
  // Gives the terminal back until Resume, for Ctrl-Z.
  void Suspend();
  void Resume();
};

}  // namespace taskmon::client::top
