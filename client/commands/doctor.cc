// SPDX-License-Identifier: Apache-2.0
#include "client/commands/commands.h"

#include "client/commands/answer.h"
#include "client/exit_code.h"
#include "client/output/doctor_text.h"

namespace taskmon::client {

int RunDoctor(const Options& options, Context* context) {
  if (!options.schema_of.empty()) return PrintSchema(JsonShape::kObject, {DoctorSchema()}, options, context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  const absl::StatusOr<v1::Doctor> doctor = (*backend)->GetDoctor();
  if (!doctor.ok()) return Fail(doctor.status(), context);
  context->out->Write(options.format == Format::kTable ? DoctorText(*doctor, context->terminal)
                                                       : DoctorJson(*doctor) + "\n");
  return kMatched;
}

}  // namespace taskmon::client
