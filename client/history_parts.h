// SPDX-License-Identifier: Apache-2.0
//
// A history that comes in several answers, each of which says how to have the rest, as one.
#pragma once

#include <string>
#include <utility>

#include <absl/status/status.h>

#include "client/backend.h"

namespace taskmon::client {

// `ask(request, sink)` gets one answer; a sink that returns false ends it with OK or an error, as the caller has it.
template <typename Ask>
absl::Status InParts(v1::HistoryRequest request, const Backend::TaskSink& sink, const Ask& ask) {
  while (true) {
    std::string resume;
    bool enough = false;
    absl::Status status = ask(request, [&](const v1::TaskBatch& batch) {
      resume = batch.resume();
      enough = !sink(batch);
      return !enough;
    });
    if (!status.ok() || enough || resume.empty()) return status;
    request.set_resume(std::move(resume));
  }
}

}  // namespace taskmon::client
