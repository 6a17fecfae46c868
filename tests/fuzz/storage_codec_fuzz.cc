// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as frames, numbers, series, column segments and ticks; and any numbers through the encoders and back, which
// must give the same numbers.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "storage/chunk_head.h"
#include "storage/codec.h"
#include "storage/column.h"

namespace {

using namespace taskmon;
using namespace taskmon::storage;

void Require(bool holds) {
  if (!holds) __builtin_trap();
}

void Decode(std::string_view bytes) {
  (void)DecodeFrame(bytes);
  (void)DecodeTicks(bytes);
  (void)DecodeHead(bytes);
  for (int format : {1, 2}) {
    ColumnSegment segment;
    if (!segment.Parse(bytes, 16, format).ok()) continue;
    for (ColumnSegment::Series& series : segment.series) {
      for (int step = 0; step < 100 && series.cursor.Next(step); ++step)
        (void)segment.form.ValueOf(series.cursor.value());
    }
  }
  ByteReader in(bytes);
  SeriesCursor cursor(7, &in);
  if (in.ok()) (void)cursor.Advance(1000, 5);
}

void RoundTrip(const std::vector<int64_t>& values) {
  std::vector<int64_t> now(values.size()), got;
  for (size_t i = 0; i < now.size(); ++i) now[i] = static_cast<int64_t>(1000 * i);
  ByteWriter out;
  PutNumbers(values, &out);
  PutSeries(values.data(), values.size(), now.data(), &out);
  ByteReader in(out.data());
  Require(GetNumbers(values.size(), &in, &got) && got == values);
  SeriesCursor cursor(values[0], &in);
  Require(in.ok() && in.left() == 0);
  for (size_t i = 1; i < values.size(); ++i) Require(cursor.Next(now[i]) && cursor.value() == values[i]);
}

void RoundTripColumn(const std::vector<int64_t>& values, uint8_t shape) {
  ColumnBuilder builder;
  builder.AddRow(1, values[0], true);
  if (shape & 1) builder.AddException(Exception::Kind::kFix, 0, values.back());
  builder.AddSeries(values);
  const ColumnForm form{.quantum = shape & 2 ? 10 : 1, .digits = shape & 4 ? 5 : 0};
  const ColumnBuilder::Times times(3, std::vector<int64_t>(values.size(), 1000000));
  const std::string bytes = builder.Finish(3, form, times);
  ColumnSegment segment;
  Require(segment.Parse(bytes, 3, 2).ok() && segment.series.size() == 1);
  SeriesCursor cursor = segment.series[0].cursor;
  for (size_t i = 1; i < values.size(); ++i) {
    Require(cursor.Next(1000000 / segment.form.quantum) && segment.form.ValueOf(cursor.value()) == values[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Decode(bytes);
  // Numbers of one to eight bytes, so that small ones are tried as often as large ones.
  const size_t width = 1 + data[0] % 8;
  std::vector<int64_t> values;
  for (size_t at = 0; at + width <= bytes.size() && values.size() < 500; at += width) {
    int64_t value = 0;
    std::memcpy(&value, bytes.data() + at, width);
    values.push_back(value);
  }
  if (values.empty()) return 0;
  RoundTrip(values);
  RoundTripColumn(values, data[0] >> 3);
  return 0;
}
