// SPDX-License-Identifier: Apache-2.0
//
// Whether a question is still worth an answer: asked between two ticks by whoever reads many of which nothing is sent.
// Owned by one question.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include <absl/status/status.h>
#include <fmt/format.h>

namespace taskmon::query {

class GoOn {
 public:
  // `listening` asks whether there is still a receiver, which may cost a message to it.
  GoOn(std::function<bool()> listening, std::chrono::seconds longest)
      : listening_(std::move(listening)), longest_(longest) {}

  // Cancelled: the receiver is gone. ResourceExhausted: nothing has come of it for too long.
  absl::Status Ask() {
    const Clock::time_point now = Clock::now();
    if (now - asked_ >= kBetweenSigns) {
      asked_ = now;
      if (!listening_()) return absl::CancelledError("the receiver is gone");
    }
    if (now - since_ <= longest_) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        fmt::format("this takes more than {} s; choose a shorter time, step or 'for'", longest_.count()));
  }
  // Something came of it.
  void Restart() { since_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kBetweenSigns{200};

  const std::function<bool()> listening_;
  const std::chrono::seconds longest_;
  Clock::time_point since_ = Clock::now();
  Clock::time_point asked_ = since_;
};

}  // namespace taskmon::query
