// SPDX-License-Identifier: Apache-2.0
//
// Prints rows of tasks in one of the formats. Commands feed rows in the order in which they shall appear and know no
// format. Holds no rows but those that a table needs to choose its widths.
//
//   Add(row)* [EndBlock()]  …  Finish(ok)          a block: one tick of `watch`
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/fields.h"
#include "client/output/cell.h"
#include "client/output/format.h"
#include "client/output/output.h"
#include "client/task_row.h"
#include "client/terminal.h"

namespace taskmon::client {

struct TaskLayout {
  Format format = Format::kTable;
  std::vector<Field> fields;
  bool header = true;
  bool raw = false;
  bool time = false;               // JSON rows carry time and time_ns
  bool threads = false;            // rows are threads; where these are not stored, their process
  bool whole = false;              // nobody named fields: JSON rows hold every key of the contract
  std::optional<Attribute> group;  // rows are groups, told apart by this
};

class TaskPrinter {
 public:
  virtual ~TaskPrinter() = default;

  virtual void Add(const TaskRow& row) = 0;
  // A stretch without ticks, between the rows before and after it.
  virtual void AddGap(const v1::Gap& gap) = 0;
  // What was added so far goes out together, and is flushed.
  virtual void EndBlock() = 0;
  virtual void Finish(bool ok) = 0;

  // What tables have shown instead of values.
  const Marks& marks() const { return marks_; }

 protected:
  Marks marks_;
};

std::unique_ptr<TaskPrinter> MakeTaskPrinter(const TaskLayout& layout, const Terminal& terminal, Output* out);

// The keys of one row as a JSON object, and what `more` adds to them.
std::string TaskJson(const TaskLayout& layout, const TaskRow& row,
                     const std::function<void(JsonObject*)>& more = nullptr);
// The same as a JSON Schema, and that of a gap between rows.
std::string TaskSchema(const TaskLayout& layout, const std::function<void(JsonObject*)>& more = nullptr);
std::string GapSchema();

// The table columns of the fields.
std::vector<struct Column> ColumnsFor(const std::vector<Field>& fields);

// One line that explains the marks; empty when there are none.
std::string Legend(const Marks& marks);

}  // namespace taskmon::client
