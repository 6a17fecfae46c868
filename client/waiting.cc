// SPDX-License-Identifier: Apache-2.0
#include "client/waiting.h"

#include <utility>

#include <fmt/format.h>

#include "client/output/cell.h"
#include "client/output/escape.h"

namespace taskmon::client {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLines{200};
constexpr char kErase[] = "\r\033[K";

}  // namespace

Waiting::Waiting(std::string what, Backend* backend, Context* context, std::chrono::milliseconds patience)
    : what_(std::move(what)), patience_(patience), context_(context) {
  if (context->err_is_terminal) {
    thread_ = std::thread([this] { Tell(); });
    if (context->terminal.is_terminal) context->out->BeforeFirstWrite([this] { EndLine(); });
  }
  if (context->interrupt == nullptr) return;
  context->interrupt->OnSignal([this, backend] {
    EndLine();
    backend->Cancel();
  });
}

void Waiting::End() {
  if (context_->interrupt != nullptr) context_->interrupt->Release();
  EndLine();
  context_->out->BeforeFirstWrite(nullptr);
  if (thread_.joinable()) thread_.join();
}

void Waiting::At(std::string place) {
  const std::lock_guard lock(mutex_);
  place_ = std::move(place);
}

void Waiting::At(int64_t time_ns) {
  if (thread_.joinable()) At(LocalTime(time_ns, false));
}

// May be called by several threads, and more than once.
void Waiting::EndLine() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  changed_.notify_all();
  if (!drawn_) return;
  context_->err->Write(kErase);
  context_->err->Flush();
}

void Waiting::Tell() {
  const Clock::time_point begin = Clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience_, [this] { return ended_; });
  while (!ended_) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin);
    const std::string line = fmt::format("{}{}{}, {} s", what_, place_.empty() ? "" : ": ", place_, elapsed.count());
    const size_t width = context_->terminal.width;
    context_->err->Write(kErase + (width > 1 ? Cut(line, width - 1) : line));
    context_->err->Flush();
    drawn_ = true;
    changed_.wait_for(lock, kBetweenLines, [this] { return ended_; });
  }
}

}  // namespace taskmon::client
