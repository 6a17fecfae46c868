// SPDX-License-Identifier: Apache-2.0
//
// Long answers on a terminal go through a pager, as those of git and systemd do: TASKMON_PAGER or PAGER, otherwise
// less, which ends by itself when everything fits on the screen. Standard output is the pager while the object lives.
#pragma once

#include <string>
#include <sys/types.h>

#include "client/options.h"

namespace taskmon::client {

// Whether what the command prints is for reading: a table that ends, not a stream and not a screen of its own.
bool WantsPager(const Options& options);

// The command of the pager, from the variables' values (null: unset); empty: none is wanted.
std::string PagerCommand(const char* taskmon_pager, const char* pager);

class Pager {
 public:
  // Does nothing when the command is empty or cannot be started.
  explicit Pager(const std::string& command);
  // Tells the pager that this was all, and waits until it has been left.
  ~Pager();
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

 private:
  pid_t child_ = -1;
  int terminal_fd_ = -1;  // standard output as it was
};

}  // namespace taskmon::client
