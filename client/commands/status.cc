// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include "client/commands/answer.h"
#include "client/exit_code.h"
#include "client/output/status_text.h"

namespace taskmon::client {

int RunStatus(const Options& options, Context* context) {
  if (!options.schema_of.empty()) return PrintSchema(JsonShape::kObject, {StatusSchema()}, options, context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  const absl::StatusOr<v1::Status> status = (*backend)->GetStatus();
  if (!status.ok()) return Fail(status.status(), context);
  context->out->Write(options.format == Format::kTable ? StatusText(*status, context->terminal, options.raw)
                                                       : StatusJson(*status) + "\n");
  return kMatched;
}

}  // namespace taskmon::client
