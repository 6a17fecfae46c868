// SPDX-License-Identifier: Apache-2.0
#include "storage/event_codec.h"

#include "storage/journal.h"

namespace taskmon::storage {

std::string EncodeFinalSample(const TaskSample& sample, uint64_t boot_ns, const MetricBits& stored) {
  UpdateContext context;
  context.tick.seq = sample.tick_seq;
  context.tick.boot_ns = boot_ns;
  context.stored = stored;
  ByteWriter out;
  out.Varint(sample.tick_seq);
  EncodeUpdate(nullptr, sample, 0, context, &out);
  return out.Take();
}

absl::StatusOr<std::shared_ptr<TaskSample>> DecodeFinalSample(std::string_view bytes, uint64_t boot_ns) {
  ByteReader in(bytes);
  UpdateContext context;
  context.tick.seq = in.Varint();
  context.tick.boot_ns = boot_ns;
  RowState row;
  UpdateDetail detail;
  absl::Status status = DecodeUpdate(in.Bytes(in.left()), context, &row, &detail);
  if (!status.ok()) return status;
  return std::make_shared<TaskSample>(std::move(row.sample));
}

}  // namespace taskmon::storage
