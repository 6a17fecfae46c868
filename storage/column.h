// SPDX-License-Identifier: Apache-2.0
//
// One metric over the rows of one segment of a closed chunk, as bytes. A row has a base value at its first update and
// one value for each later update; rows whose value never changes take no room beyond the base. Beside the values:
// validity, deltas that do not follow from the values, and times of values older than their tick, each as a short list
// of exceptions. Pure; one builder per metric, reused from segment to segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "storage/codec.h"

namespace taskmon::storage {

// Something about a metric at one update of a row. Updates are numbered from 0 within their row.
struct Exception {
  enum class Kind : uint8_t { kValid, kFix, kTaken };
  uint32_t row = 0;  // within the segment when building, within the chunk when read
  uint32_t update = 0;
  Kind kind = Kind::kValid;
  uint16_t metric = 0;
  int64_t value = 0;  // kValid: none, validity toggles; kFix: add to the delta; kTaken: boot time, 0: none any more
};

// How the numbers in a column stand for values.
struct ColumnForm {
  int64_t quantum = 1;  // values are multiples of it
  int digits = 0;       // large ones have so many binary digits and are kept as their place among such numbers; 0: all
  bool nullable = false;  // 0 is "not valid", and what is not negative is moved up by one
  // Residues are what a waiting time differs from the time up to `instant` (while that is 0: up to the tick) less the
  // time `spent` otherwise, compared with the row's first update, all in whole quanta. 0: there are no residues.
  uint16_t instant = 0;
  uint16_t spent = 0;

  int64_t ValueOf(int64_t number) const;
  // The part of a value that residues leave out.
  int64_t Expected(int64_t instant_value, int64_t spent_value, int64_t tick_ns) const {
    return WrapSub(instant_value == 0 ? tick_ns : instant_value, spent_value) / quantum;
  }
};

class ColumnBuilder {
 public:
  // Boot times of the updates, by row of the segment.
  using Times = std::vector<std::vector<int64_t>>;

  // Rows are added in order; those left out have 0, not valid.
  void AddRow(uint32_t row, int64_t base, bool valid);
  // The values of all updates of the row added last, base included; values that are not valid are 0. Called for rows
  // that change in value or validity. `residues`: what tells them as well (see ColumnForm), beginning with 0; empty:
  // nothing does.
  void AddSeries(std::vector<int64_t> values, std::vector<int64_t> residues = {});
  void AddException(Exception::Kind kind, uint32_t update, int64_t value);

  // The segment as bytes, not yet a frame; the builder is empty again. Of `form` that is used which all values have.
  std::string Finish(size_t rows, const ColumnForm& form, const Times& times);
  // Nothing in it was ever valid, so the metric needs no column.
  bool never_valid() const { return never_valid_; }

 private:
  struct Series {
    uint32_t row;
    std::vector<int64_t> values;
    std::vector<int64_t> residues;
  };
  template <typename F>
  bool EveryValue(const F& holds) const;
  template <typename F>
  void ChangeValues(const F& change);
  bool AllMultiples(int64_t quantum) const;
  void PutSeriesOf(const Series& series, const ColumnForm& form, const Times& times, ByteWriter* out) const;
  void Divide(int64_t quantum);
  bool FoldValidityIn();
  void FoldRowIn(size_t* next_toggle, Series* series);
  void PutValid(bool nullable, ByteWriter* out) const;
  void PutExceptions(Exception::Kind kind, ByteWriter* out) const;
  void Clear();

  std::vector<int64_t> base_;
  std::vector<bool> valid_;
  std::vector<Series> series_;
  std::vector<Exception> exceptions_;
  bool never_valid_ = true;
};

// A parsed segment. `series` cursors point into the bytes given to Parse. Numbers in it are made values by `form`.
struct ColumnSegment {
  struct Series {
    uint32_t row;  // within the segment
    SeriesCursor cursor;
  };
  ColumnForm form;
  std::vector<int64_t> base;
  std::vector<bool> valid;
  std::vector<Exception> exceptions;  // rows within the segment
  std::vector<Series> series;

  // `format`: of the chunk that the segment belongs to.
  absl::Status Parse(std::string_view bytes, size_t rows, int format);

 private:
  bool ParseForm(ByteReader* in, int format);
};

}  // namespace taskmon::storage
