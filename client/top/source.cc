// SPDX-License-Identifier: Apache-2.0
#include "client/top/source.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <thread>
#include <utility>

#include "client/top/asking.h"

namespace taskmon::client::top {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);
// Events of a tick come by a stream of their own, at about the same time as the tick.
constexpr auto kEventsLag = std::chrono::milliseconds(40);
constexpr size_t kMostExits = 5000;  // that wait for their tick

Kind KindOf(const StretchQuestion& question) {
  return question.purpose == StretchQuestion::Purpose::kBar ? Kind::kBar : Kind::kGraphs;
}

bool IsUrgent(Kind kind) { return kind == Kind::kMoment || kind == Kind::kTask; }

}  // namespace

// One call that goes on until the end: run again when it fails, and ended by the destructor.
class Source::Stream {
 public:
  using Call = std::function<absl::Status(Backend*)>;

  Stream(const Open& open, Call call, std::function<void(const absl::Status&)> failed)
      : thread_([this, open, call = std::move(call), failed = std::move(failed)] { Run(open, call, failed); }) {}

  ~Stream() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      if (backend_ != nullptr) backend_->Cancel();
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void Run(const Open& open, const Call& call, const std::function<void(const absl::Status&)>& failed) {
    while (true) {
      absl::StatusOr<std::unique_ptr<Backend>> backend = open();
      absl::Status status = backend.status();
      if (backend.ok() && Publish(backend->get())) {
        status = call(backend->get());
        Publish(nullptr);
      }
      std::unique_lock lock(mutex_);
      if (stop_) return;
      lock.unlock();
      failed(status);
      lock.lock();
      if (changed_.wait_for(lock, kRetry, [&] { return stop_; })) return;
    }
  }

  bool Publish(Backend* backend) {
    const std::lock_guard lock(mutex_);
    backend_ = backend;
    return !stop_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Backend* backend_ = nullptr;  // guarded by mutex_
  bool stop_ = false;           // guarded by mutex_
  std::thread thread_;          // last: it uses the others
};

// Answers the newest question of each kind, in the order of the kinds.
class Source::Worker {
 public:
  Worker(const Open& open, std::function<void(Answer)> post)
      : post_(std::move(post)), thread_([this, open] { Run(open); }) {}

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      if (backend_ != nullptr) backend_->Cancel();
    }
    changed_.notify_all();
    thread_.join();
  }

  void Ask(Asked asked) {
    {
      const std::lock_guard lock(mutex_);
      waiting_[asked.kind] = std::move(asked);
    }
    changed_.notify_all();
  }

 private:
  void Run(const Open& open) {
    std::unique_ptr<Backend> backend;
    while (true) {
      std::unique_lock lock(mutex_);
      backend_ = nullptr;
      changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
      if (stop_) return;
      Asked asked = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      lock.unlock();
      absl::Status opened;
      if (backend == nullptr) {
        absl::StatusOr<std::unique_ptr<Backend>> fresh = open();
        opened = fresh.status();
        if (fresh.ok()) backend = *std::move(fresh);
      }
      lock.lock();
      backend_ = backend.get();
      if (stop_) return;
      lock.unlock();
      post_({asked.kind, asked.number,
             opened.ok() ? AnswerTo(asked.question, backend.get()) : AnswerBody(Failure{opened})});
    }
  }

  static AnswerBody AnswerTo(const Question& question, Backend* backend) {
    if (const auto* moment = std::get_if<MomentQuestion>(&question)) {
      absl::StatusOr<std::shared_ptr<const Frame>> frame = AskMoment(*moment, backend);
      if (!frame.ok()) return Failure{frame.status()};
      return FrameAnswer{.frame = *std::move(frame), .totals = std::nullopt};
    }
    if (const auto* stretch = std::get_if<StretchQuestion>(&question)) {
      absl::StatusOr<StretchAnswer> answer = AskStretch(*stretch, backend);
      if (!answer.ok()) return Failure{answer.status()};
      return *std::move(answer);
    }
    return AskTask(std::get<TaskQuestion>(question), backend);
  }

  const std::function<void(Answer)> post_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Kind, Asked> waiting_;  // guarded by mutex_
  Backend* backend_ = nullptr;     // guarded by mutex_
  bool stop_ = false;              // guarded by mutex_
  std::thread thread_;             // last: it uses the others
};

Source::Source(Open open, std::function<void()> wake)
    : open_(std::move(open)),
      wake_(std::move(wake)),
      prompt_(std::make_unique<Worker>(open_, [this](Answer answer) { Post(std::move(answer)); })),
      patient_(std::make_unique<Worker>(open_, [this](Answer answer) { Post(std::move(answer)); })) {}

Source::~Source() = default;

void Source::Post(Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  wake_();
}

std::vector<Answer> Source::Take() {
  const std::lock_guard lock(mutex_);
  std::vector<Answer> taken(std::make_move_iterator(answers_.begin()), std::make_move_iterator(answers_.end()));
  answers_.clear();
  return taken;
}

void Source::Ask(Asked asked) {
  if (const auto* live = std::get_if<LiveQuestion>(&asked.question)) {
    live_.clear();
    return StartLive(asked.number, live->scope);
  }
  if (std::holds_alternative<StopQuestion>(asked.question)) return live_.clear();
  if (const auto* stretch = std::get_if<StretchQuestion>(&asked.question)) asked.kind = KindOf(*stretch);
  (IsUrgent(asked.kind) ? prompt_ : patient_)->Ask(std::move(asked));
}

namespace {

// What two streams bring together: ticks, and the ends of tasks in them.
struct Joined {
  std::mutex mutex;
  std::deque<v1::Event> exits;  // guarded by mutex
};

v1::EventsRequest Following(const Scope& scope, bool exits, bool marks) {
  v1::EventsRequest request;
  if (!marks) request.set_expression(scope.expression);
  request.set_threads(scope.threads);
  request.set_begin("1s");
  request.set_follow(true);
  if (exits) request.add_types(v1::EXIT);
  if (marks) {
    for (const v1::EventType type : MarkTypes()) request.add_types(type);
  }
  return request;
}

void AddExits(Joined* joined, const FrameMaker& maker, bool threads, Frame* frame) {
  std::this_thread::sleep_for(kEventsLag);
  const std::lock_guard lock(joined->mutex);
  while (!joined->exits.empty() && joined->exits.front().time_ns() <= frame->tick.time_ns()) {
    const v1::Event& exit = joined->exits.front();
    if (maker.HasRowOfItsOwn(exit, threads)) maker.AddEnded(exit, frame);
    joined->exits.pop_front();
  }
}

void KeepExits(const v1::EventBatch& batch, bool threads, Joined* joined) {
  const std::lock_guard lock(joined->mutex);
  for (const v1::Event& event : batch.events()) {
    if (event.type() != v1::EXIT || (event.task().thread() && !threads)) continue;
    joined->exits.push_back(event);
    if (joined->exits.size() > kMostExits) joined->exits.pop_front();
  }
}

// Reads ticks until the call ends; `take` gets each frame.
absl::Status Watch(const Scope& scope, Backend* backend,
                   const std::function<void(const FrameMaker&, std::shared_ptr<Frame>)>& take) {
  v1::WatchTasksRequest request;
  *request.mutable_selection() = SelectionOf(scope);
  FrameMaker maker(scope.metrics);
  absl::Status broken;
  absl::Status status = backend->WatchTasks(request, [&](const v1::TaskBatch& batch) {
    broken = maker.Add(batch);
    if (broken.ok() && batch.last()) take(maker, maker.Finish());
    return broken.ok();
  });
  status.Update(broken);
  return status;
}

}  // namespace

void Source::StartLive(uint64_t number, const Scope& scope) {
  const auto joined = std::make_shared<Joined>();
  // All processes are in the frames already, unless they were asked for by an expression or as threads.
  const bool whole = scope.expression.empty() && !scope.threads;
  const auto post = [this, number](AnswerBody body) { Post({Kind::kLive, number, std::move(body)}); };
  const auto failed = [post](const absl::Status& status) { post(Failure{status}); };
  const auto quiet = [](const absl::Status&) {};  // the ticks' stream tells
  live_.push_back(std::make_unique<Stream>(
      open_,
      [=](Backend* backend) {
        return Watch(scope, backend, [&](const FrameMaker& maker, std::shared_ptr<Frame> frame) {
          std::optional<TotalsPoint> totals;
          if (whole) totals = TotalsOf(*frame);
          AddExits(joined.get(), maker, scope.threads, frame.get());
          post(FrameAnswer{.frame = std::move(frame), .totals = totals});
        });
      },
      failed));
  live_.push_back(std::make_unique<Stream>(
      open_,
      [=](Backend* backend) {
        return backend->ReadEvents(Following(scope, true, whole), [&](const v1::EventBatch& batch) {
          KeepExits(batch, scope.threads, joined.get());
          if (whole) post(LiveEvents{{batch.events().begin(), batch.events().end()}});
          return true;
        });
      },
      quiet));
  if (whole) return;
  live_.push_back(std::make_unique<Stream>(
      open_,
      [=](Backend* backend) {
        return Watch({.expression = "", .threads = false, .metrics = TotalsMetrics()}, backend,
                     [&](const FrameMaker&, std::shared_ptr<Frame> frame) { post(LiveTotals{TotalsOf(*frame)}); });
      },
      quiet));
  live_.push_back(std::make_unique<Stream>(
      open_,
      [=](Backend* backend) {
        return backend->ReadEvents(Following(scope, false, true), [&](const v1::EventBatch& batch) {
          post(LiveEvents{{batch.events().begin(), batch.events().end()}});
          return true;
        });
      },
      quiet));
}

}  // namespace taskmon::client::top
