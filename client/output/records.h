// SPDX-License-Identifier: Apache-2.0
//
// Frames records for the formats that are a sequence of them: a JSON array (valid also when empty, and when the answer
// breaks off after some records) or one object a line. The opening bracket waits for the first record, so that a
// request that fails at once leaves standard output empty.
#pragma once

#include <string>

#include "client/output/output.h"

namespace taskmon::client {

class JsonRecords {
 public:
  // `lines`: one object a line instead of an array.
  JsonRecords(bool lines, Output* out) : lines_(lines), out_(out) {}

  void Add(const std::string& object) {
    if (lines_) {
      out_->Write(object + "\n");
    } else {
      out_->Write(any_ ? ",\n" + object : "[\n" + object);
    }
    any_ = true;
  }

  // The end of an answer. After a failure an array that never began stays unwritten.
  void Finish(bool ok) {
    if (lines_) return;
    if (any_) out_->Write("\n]\n");
    if (!any_ && ok) out_->Write("[]\n");
  }

 private:
  bool lines_;
  bool any_ = false;
  Output* out_;
};

}  // namespace taskmon::client
