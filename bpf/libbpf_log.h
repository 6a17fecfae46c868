// SPDX-License-Identifier: Apache-2.0
//
// What libbpf has to say while something is loaded or attached, and what of it matters. libbpf's messages go to one
// place per process: into the ScopedLog that lives on the thread, nowhere otherwise.
#pragma once

#include <string>

namespace taskmon::bpf {

// At most one at a time per thread.
class ScopedLog {
 public:
  ScopedLog();
  ~ScopedLog();
  ScopedLog(const ScopedLog&) = delete;
  ScopedLog& operator=(const ScopedLog&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The program that libbpf says it failed on; empty when the failure was not about one program.
std::string FailedProgram(const std::string& log);

// What the verifier complained about; failing that the map that could not be made, or libbpf's first message.
std::string LastVerifierLine(const std::string& log);

}  // namespace taskmon::bpf
