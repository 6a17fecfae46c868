// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/export/exporter.h"
#include "client/export/http_server.h"
#include "client/waiting.h"

namespace taskmon::client {
namespace {

// Scrapes that follow each other closely get the same answer.
constexpr std::chrono::milliseconds kFresh{500};
// Windows stay short, even when nobody scrapes.
constexpr std::chrono::seconds kUnasked{30};
constexpr std::chrono::seconds kBetweenLooks{1};

// The page, made anew when it is old. Says on standard error when taskmond goes away and comes back. For one thread at
// a time but for Stop.
class Pages {
 public:
  Pages(Exporter* exporter, Context* context) : exporter_(exporter), context_(context) {}

  std::string Make(Dialect dialect) {
    const std::lock_guard lock(mutex_);
    RefreshWhenOlderThan(kFresh);
    return exporter_->Page(dialect);
  }

  void KeepUp() {
    const std::lock_guard lock(mutex_);
    RefreshWhenOlderThan(kUnasked);
  }

 private:
  void RefreshWhenOlderThan(std::chrono::nanoseconds age) {
    const auto now = std::chrono::steady_clock::now();
    if (refreshed_ && now - *refreshed_ < age) return;
    const absl::Status status = exporter_->Refresh();
    refreshed_ = now;
    const std::string trouble(status.message());
    if (trouble == trouble_ || absl::IsCancelled(status)) return;
    trouble_ = trouble;
    Note(status.ok() ? "taskmond answers again" : trouble, context_);
  }

  std::mutex mutex_;
  Exporter* exporter_;
  Context* context_;
  std::optional<std::chrono::steady_clock::time_point> refreshed_;
  std::string trouble_;  // that was told last
};

int PrintOnce(Exporter* exporter, Backend* backend, const Options& options, Context* context) {
  Waiting waiting("adding up since the start", backend, context);
  const absl::Status status = exporter->Refresh();
  waiting.End();
  if (!status.ok()) return Fail(status, context);
  context->out->Write(
      exporter->Page(options.format == Format::kPrometheus ? Dialect::kPrometheus : Dialect::kOpenMetrics));
  return kMatched;
}

class StopSign {
 public:
  void Set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool WaitFor(std::chrono::nanoseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

int Serve(Exporter* exporter, Backend* backend, const Options& options, Context* context) {
  const absl::StatusOr<ListenAddress> address = ParseListenAddress(options.listen);
  if (!address.ok()) return Fail(address.status(), context);
  Pages pages(exporter, context);
  StopSign stop;
  HttpServer server([&](Dialect dialect) { return pages.Make(dialect); });
  if (const absl::Status status = server.Start(*address); !status.ok()) return Fail(status, context);
  Note(fmt::format("metrics are at http://{}/metrics", address->text), context);
  if (!address->loopback) {
    Note("warning: everyone who can reach this address can read them; 127.0.0.1 keeps them on this machine", context);
  }
  if (context->interrupt != nullptr) {
    context->interrupt->OnSignal([&] {
      backend->Cancel();
      stop.Set();
    });
  }
  do {
    pages.KeepUp();
    server.BreakOffSlow(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
  } while (!stop.WaitFor(kBetweenLooks));
  context->interrupt->OnSignal([] {});
  server.Stop();
  return kInterrupted;
}

}  // namespace

int RunExport(const Options& options, Context* context) {
  const std::string by = options.by.empty() ? "app" : options.by;
  const absl::StatusOr<std::optional<Attribute>> attribute = ParseBy(by);
  if (!attribute.ok()) return Fail(attribute.status(), context);
  const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
  if (!backend.ok()) return Fail(backend.status(), context);
  constexpr uint32_t kDefaultTop = 20;
  Exporter exporter({.by = by,
                     .attribute = **attribute,
                     .top = options.top == 0 ? kDefaultTop : options.top,
                     .since_start = options.once},
                    backend->get());
  if (options.once) return PrintOnce(&exporter, backend->get(), options, context);
  return Serve(&exporter, backend->get(), options, context);
}

}  // namespace taskmon::client
