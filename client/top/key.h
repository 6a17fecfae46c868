// SPDX-License-Identifier: Apache-2.0
//
// What a person does at the terminal, as the model sees it. A value.
#pragma once

#include <cstdint>

namespace taskmon::client::top {

enum class KeyCode : uint8_t {
  kChar,  // a character; control keys too: Ctrl-L is 12
  kEnter,
  kEscape,
  kTab,
  kBackTab,
  kBackspace,
  kDelete,
  kUp,
  kDown,
  kLeft,
  kRight,
  kPageUp,
  kPageDown,
  kHome,
  kEnd,
  kF1,
  kClick,  // x, y: the cell
  kDoubleClick,
  kWheelUp,
  kWheelDown,
};

struct Key {
  KeyCode code = KeyCode::kChar;
  char32_t ch = 0;
  int x = 0;
  int y = 0;
};

inline constexpr char32_t Control(char letter) { return static_cast<char32_t>(letter & 0x1f); }

}  // namespace taskmon::client::top
