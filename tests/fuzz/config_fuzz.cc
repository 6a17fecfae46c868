// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as taskmond.toml: no crash; refusals name the file on one line; what is refused changes nothing, and what
// is taken is read the same once more.
#include <cstdint>
#include <string>

#include "daemon/config.h"

namespace {

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace taskmon::daemon;
  const std::string text(reinterpret_cast<const char*>(data), size);
  Config config;
  const absl::Status status = ApplyToml(text, "f", &config);
  if (!status.ok()) {
    const std::string message(status.message());
    Require(message.substr(0, 1) == "f" && message.find('\n') == std::string::npos);
    return 0;
  }
  (void)CheckConfig(config);
  Require(ApplyToml(text, "f", &config).ok());
  return 0;
}
