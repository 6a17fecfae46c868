// SPDX-License-Identifier: Apache-2.0
//
// Prints events in one of the formats, in the order in which they are added. Table rows are held back for their widths
// until Flush; with `following` the widths are fixed from the start, so that a new event shows at once.
#pragma once

#include <memory>
#include <string>

#include "client/output/format.h"
#include "client/output/output.h"
#include "client/terminal.h"
#include "taskmon/v1/taskmon.pb.h"

namespace taskmon::client {

struct EventLayout {
  Format format = Format::kTable;
  bool header = true;
  bool raw = false;
  bool following = false;
  bool threads = false;  // ends of processes are told from those of their threads
  int64_t now_ns = 0;    // events of this local day are shown without their date
};

class EventPrinter {
 public:
  virtual ~EventPrinter() = default;
  virtual void Add(const v1::Event& event) = 0;
  virtual void Flush() = 0;
  virtual void Finish(bool ok) = 0;
};

std::unique_ptr<EventPrinter> MakeEventPrinter(const EventLayout& layout, const Terminal& terminal, Output* out);

// The keys of one event row as a JSON object.
std::string EventJson(const v1::Event& event);
std::string EventSchema();

}  // namespace taskmon::client
