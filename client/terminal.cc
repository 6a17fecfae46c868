// SPDX-License-Identifier: Apache-2.0
#include "client/terminal.h"

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace taskmon::client {
namespace {

constexpr size_t kDefaultWidth = 80;
constexpr size_t kNarrowest = 20;

size_t ColumnsVariable() {
  const char* text = std::getenv("COLUMNS");
  if (text == nullptr) return 0;
  const std::string_view view = text;
  size_t width = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), width);
  return error == std::errc() && end == view.data() + view.size() && width >= kNarrowest ? width : 0;
}

size_t WindowWidth(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < kNarrowest) return kDefaultWidth;
  return size.ws_col;
}

bool ColorWelcome() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

Terminal InspectTerminal(int fd) {
  Terminal terminal;
  terminal.is_terminal = isatty(fd) == 1;
  terminal.color = terminal.is_terminal && ColorWelcome();
  terminal.width = ColumnsVariable();
  if (terminal.width == 0 && terminal.is_terminal) terminal.width = WindowWidth(fd);
  return terminal;
}

}  // namespace taskmon::client
