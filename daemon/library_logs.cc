// SPDX-License-Identifier: Apache-2.0
#include "daemon/library_logs.h"

#include <string>

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

namespace taskmon::daemon {
namespace {

void OfGrpc(gpr_log_func_args* args) { spdlog::debug("grpc: {}", args->message); }

void OfProtobuf(google::protobuf::LogLevel, const char*, int, const std::string& message) {
  spdlog::debug("protobuf: {}", message);
}

}  // namespace

void QuietLibraryLogs() {
  gpr_set_log_function(OfGrpc);
  google::protobuf::SetLogHandler(OfProtobuf);
}

}  // namespace taskmon::daemon
