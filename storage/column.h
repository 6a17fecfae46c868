// SPDX-License-Identifier: Apache-2.0
//
// One metric over the rows of one segment (up to kSegmentRows rows of a closed chunk), as bytes. A row has a base value
// at its first update and one value for each later update; rows whose value never changes take no room beyond the base.
// Beside the values: validity, deltas that do not follow from the values, and times of values older than their tick,
// each as a short list of exceptions. Pure; one builder per metric, reused from segment to segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "storage/codec.h"

namespace taskmon::storage {

inline constexpr size_t kSegmentRows = 256;

// Something about a metric at one update of a row. Updates are numbered from 0 within their row.
struct Exception {
  enum class Kind : uint8_t { kValid, kFix, kTaken };
  uint32_t row = 0;  // within the segment when building, within the chunk when read
  uint32_t update = 0;
  Kind kind = Kind::kValid;
  MetricId metric = 0;
  int64_t value = 0;  // kValid: none, validity toggles; kFix: add to the delta; kTaken: boot time, 0: none any more
};

class ColumnBuilder {
 public:
  // Rows are added in order, each with its base first.
  void AddRow(int64_t base, bool valid);
  // The values of all updates of the row added last, base included. Not called for rows that do not change.
  void AddSeries(const int64_t* values, size_t n);
  void AddException(Exception::Kind kind, uint32_t update, int64_t value);

  // The segment as bytes, not yet a frame; the builder is empty again.
  std::string Finish();
  // Nothing in it was ever valid, so the metric needs no column.
  bool never_valid() const { return never_valid_; }

 private:
  struct List {
    ByteWriter bytes;
    size_t count = 0;
    uint32_t row = 0;
    int64_t value = 0;
  };
  void PutValid(ByteWriter* out) const;

  std::vector<int64_t> base_;
  std::vector<bool> valid_;
  List exceptions_[3];
  ByteWriter series_;
  size_t series_count_ = 0;
  uint32_t series_row_ = 0;
  bool never_valid_ = true;
};

// A parsed segment. `series` cursors point into the bytes given to Parse.
struct ColumnSegment {
  struct Series {
    uint32_t row;  // within the segment
    SeriesCursor cursor;
  };
  std::vector<int64_t> base;
  std::vector<bool> valid;
  std::vector<Exception> exceptions;  // rows within the segment
  std::vector<Series> series;

  absl::Status Parse(std::string_view bytes, size_t rows);
};

}  // namespace taskmon::storage
