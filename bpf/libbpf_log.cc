// SPDX-License-Identifier: Apache-2.0
#include "bpf/libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstddef>
#include <cstdio>

namespace taskmon::bpf {
namespace {

thread_local std::string* log_target = nullptr;

int CaptureLog(libbpf_print_level level, const char* format, va_list arguments) {
  if (log_target == nullptr || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) return 0;
  const size_t end = log_target->size();
  log_target->resize(end + static_cast<size_t>(length) + 1);
  std::vsnprintf(log_target->data() + end, static_cast<size_t>(length) + 1, format, arguments);
  log_target->resize(end + static_cast<size_t>(length));
  return 0;
}

}  // namespace

ScopedLog::ScopedLog() {
  log_target = &text_;
  libbpf_set_print(CaptureLog);
}

ScopedLog::~ScopedLog() { log_target = nullptr; }

std::string FailedProgram(const std::string& log) {
  const size_t begin = log.find("prog '");
  if (begin == std::string::npos) return "";
  const size_t end = log.find('\'', begin + 6);
  return end == std::string::npos ? "" : log.substr(begin + 6, end - begin - 6);
}

std::string LastVerifierLine(const std::string& log) {
  const size_t end = log.find("\nprocessed ");
  if (end != std::string::npos) {
    const size_t begin = log.rfind('\n', end - 1);
    return log.substr(begin + 1, end - begin - 1);
  }
  const size_t map = log.find("libbpf: map '");  // messages about retries come before it
  const size_t line = map == std::string::npos ? 0 : map;
  const size_t begin = log.compare(line, 8, "libbpf: ") == 0 ? line + 8 : line;
  return log.substr(begin, log.find('\n', begin) - begin);
}

}  // namespace taskmon::bpf
