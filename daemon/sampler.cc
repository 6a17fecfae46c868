// SPDX-License-Identifier: Apache-2.0
#include "daemon/sampler.h"

#include <sys/resource.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "bpf/abi_names.h"
#include "bpf/fd.h"
#include "daemon/clocks.h"
#include "daemon/privileges.h"
#include "daemon/recording_thread.h"

namespace taskmon::daemon {
namespace {

// A pass over all tasks, idle ones included, so that nothing that went unseen stays wrong for longer than this.
constexpr uint64_t kAllEveryTicks = 300;
// What the kernel counts of the programs takes a call for each of them: so often, and when hooks come and go.
constexpr uint64_t kHooksEveryTicks = 10;
// So long after the tick before, a tick is not just late: what was in between is told to be a gap.
constexpr uint64_t kGapIntervals = 3;
constexpr absl::Duration kLongestAnswer = absl::Seconds(5);
// A full ring whose oldest record is still being written is looked at again so much later: its writer wants the CPU.
constexpr int kUnfinishedPauseMs = 1;

// With so many events, about 1 KiB each, a tick ends before its time: what waits in memory has a limit, however long
// the interval.
constexpr size_t kEventsOfATick = 100'000;

void SetTimer(int fd, uint64_t interval_ns) {
  itimerspec spec{};
  spec.it_interval.tv_sec = static_cast<time_t>(interval_ns / 1'000'000'000);
  spec.it_interval.tv_nsec = static_cast<long>(interval_ns % 1'000'000'000);
  spec.it_value = spec.it_interval;
  timerfd_settime(fd, 0, &spec, nullptr);
}

Event NoTickFor(const Tick& tick) {
  Event gap;
  gap.type = EventType::kGap;
  gap.wall_ns = tick.wall_ns;
  gap.boot_ns = tick.boot_ns;
  gap.duration_ns = tick.elapsed_ns;
  gap.detail = "no tick: taskmond or the machine was stopped, or had no CPU";
  return gap;
}

// `how`: EPOLLET tells of it when somebody is woken, not as long as there is something to read.
void Watch(int epoll_fd, int fd, uint32_t how = 0) {
  epoll_event event{};
  event.events = EPOLLIN | how;
  event.data.fd = fd;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Sampler::Sampler(Options options, std::unique_ptr<bpf::Probe> probe, SampleBuilder builder, Parts parts)
    : options_(options),
      probe_(std::move(probe)),
      builder_(std::move(builder)),
      parts_(parts),
      rule_driver_({.book = parts.rules, .admission = parts.admission, .demand = parts.demand}, options.keep_untracked),
      shedder_(options.budget, parts.demand),
      next_seq_(options.first_seq) {}

absl::Status Sampler::Start() {
  stop_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ask_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  if (stop_fd_ < 0 || ask_fd_ < 0) return absl::InternalError(fmt::format("eventfd: {}", std::strerror(errno)));
  if (absl::Status status = Tick(); !status.ok()) return status;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Sampler::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  if (write(stop_fd_, &one, sizeof(one)) != sizeof(one)) spdlog::error("cannot stop the sampler");
  thread_.join();
  close(stop_fd_);
  close(ask_fd_);
  ask_fd_ = -1;
}

absl::Status Sampler::Ask(const std::function<void(SampleBuilder&)>& question) {
  Question asked{.ask = &question};
  const uint64_t one = 1;
  absl::MutexLock lock(&mutex_);
  questions_.push_back(&asked);
  if (write(ask_fd_, &one, sizeof(one)) != sizeof(one)) asked.done = false;  // then it is answered with the next tick
  auto done = [&asked] { return asked.done; };
  mutex_.AwaitWithTimeout(absl::Condition(&done), kLongestAnswer);
  if (asked.taken) mutex_.Await(absl::Condition(&done));
  if (asked.done) return absl::OkStatus();
  std::erase(questions_, &asked);
  return absl::UnavailableError("taskmond is busy or stopping; try again in a moment");
}

// One question a round, however many wait: the ring and the ticks come first. Who makes us answer pays for it himself,
// so it is no part of what recording costs.
void Sampler::AnswerOne() {
  uint64_t count = 0;
  if (read(ask_fd_, &count, sizeof(count)) < 0 && errno != EAGAIN) spdlog::error("reading questions: {}", errno);
  Question* question = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (questions_.empty()) return;
    question = questions_.front();
    questions_.pop_front();
    question->taken = true;
  }
  const uint64_t before_ns = ReadClockNs(CLOCK_THREAD_CPUTIME_ID);
  (*question->ask)(builder_);
  answers_cpu_ns_ += ReadClockNs(CLOCK_THREAD_CPUTIME_ID) - before_ns;
  absl::MutexLock lock(&mutex_);
  question->done = true;
}

void Sampler::Run() {
  const RecordingThread recording("tm-sampler");
  // Some milliseconds a tick, and on time however many readers there are. Without the right to this it stays 0.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), -20);
  KeepCapabilitiesFor(Duty::kSampling).IgnoreError();  // fewer are never refused
  const bpf::Fd epoll_fd(epoll_create1(EPOLL_CLOEXEC));
  const bpf::Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  uint64_t timer_ns = interval_ns();
  SetTimer(timer.get(), timer_ns);
  for (int fd : {timer.get(), stop_fd_, ask_fd_}) Watch(epoll_fd.get(), fd);
  Watch(epoll_fd.get(), probe_->ring_fd(), EPOLLET);
  auto sink = [this](const tm_record_header& header) { builder_.OnRing(header); };
  // A tick may be an hour away, a sign of life may not.
  const int sign_every_ms = options_.sign_every_ns == 0 ? -1 : static_cast<int>(options_.sign_every_ns / 1'000'000);
  bool stopping = false;
  size_t drained = 0;
  while (!stopping) {
    epoll_event events[4];
    const int full_pause_ms = drained > 0 ? 0 : kUnfinishedPauseMs;
    const int count = epoll_wait(epoll_fd.get(), events, 4, probe_->WantsDrain() ? full_pause_ms : sign_every_ms);
    bool due = false;
    bool asked = false;
    for (int i = 0; i < count; ++i) {
      uint64_t expirations = 0;
      if (events[i].data.fd == stop_fd_) stopping = true;
      if (events[i].data.fd == ask_fd_) asked = true;
      if (events[i].data.fd == timer.get() && read(timer.get(), &expirations, sizeof(expirations)) > 0) {
        due = true;
        late_ticks_ += expirations - 1;
      }
    }
    drained = probe_->DrainRing(sink);
    const bool early = !due && !stopping && !last_tick_failed_ && builder_.event_count() >= kEventsOfATick;
    if (asked || due) AnswerOne();
    if (due || stopping || early) {
      const absl::Status status = Tick();
      if (!status.ok() && ++failed_passes_ == 1) spdlog::error("a pass over the tasks failed: {}", status.ToString());
      last_tick_failed_ = !status.ok();
      want_all_ |= last_tick_failed_;
      early_ticks_ += early;
      if (early || timer_ns != interval_ns()) SetTimer(timer.get(), timer_ns = interval_ns());
    }
    GiveSign();
  }
}

// While ticks fail there is none: to be started anew is then the remedy.
void Sampler::GiveSign() {
  const uint64_t now_ns = BootNowNs();
  if (options_.sign_every_ns == 0 || last_tick_failed_ || now_ns < last_sign_ns_ + options_.sign_every_ns) return;
  last_sign_ns_ = now_ns;
  parts_.sign_of_life();
}

uint64_t Sampler::LostRecords() {
  uint64_t lost = 0;
  drops_ = probe_->Drops();
  for (int drop = TM_DROP_RING_FINAL; drop <= TM_DROP_RING_OOM; ++drop) lost += drops_[drop];
  lost += drops_[TM_DROP_LIFE];
  return lost - std::exchange(lost_before_, lost);
}

// Brings the attached hooks in line with what is wanted. True when something changed: metrics have become available or
// unavailable, for idle tasks too.
bool Sampler::AttachWanted(uint64_t boot_ns, int64_t wall_ns) {
  const HookGroups wanted = parts_.demand->Wanted(boot_ns);
  HookGroups attached;
  bool changed = false;
  for (int i = 0; i < TM_HOOK_GROUP_MAX; ++i) {
    const auto group = static_cast<tm_hook_group>(i);
    const bool before = probe_->IsAttached(group);
    hooks_changed_ |= wanted.test(i) != before;
    if (wanted.test(i) && !before) {
      const absl::Status status = probe_->Attach(group);
      if (status.ok()) {
        attached_wall_ns_[i] = wall_ns;
      } else if (!failed_groups_.test(i)) {
        failed_groups_.set(i);
        spdlog::warn("hook group {} is unavailable: {}", bpf::HookGroupName(group), std::string(status.message()));
      }
    }
    if (!wanted.test(i) && before) probe_->Detach(group);
    attached.set(i, probe_->IsAttached(group));
    changed |= attached.test(i) != before;
    scan_connections_ |= (i == TM_HOOKS_CONNECT || i == TM_HOOKS_NET) && attached.test(i) && !before;
  }
  builder_.SetAttached(attached);
  return changed;
}

void Sampler::TakeAnswers() {
  for (const NameAnswer& answer : parts_.names->TakeAnswers()) builder_.OnNames(answer);
  for (const SmapsAnswer& answer : parts_.smaps->TakeAnswers()) builder_.OnSmaps(answer);
  TakeConnections();
}

// Connections that were there before the hooks: the kernel side and the picture here are both told.
void Sampler::TakeConnections() {
  std::vector<bpf::UserVerdict> verdicts;
  for (const OpenConnections& open : parts_.connections->TakeAnswers()) {
    const auto& [tgid, start_ns] = open.process;
    builder_.OnConnections(tgid, start_ns, open.used_flags, last_boot_ns_);
    verdicts.push_back({.tgid = tgid, .start_ns = start_ns, .used = open.used_flags});
  }
  Tell(verdicts);
}

void Sampler::Tell(const std::vector<bpf::UserVerdict>& verdicts) {
  if (verdicts.empty()) return;
  // Too many at once are counted as dropped; their processes stay pending, and so are recorded.
  const absl::Status status = probe_->SetVerdicts(verdicts);
  if (!status.ok() && !absl::IsResourceExhausted(status)) spdlog::error("telling the kernel: {}", status.ToString());
}

void Sampler::TakeRuleEdits(std::vector<Event>* events) {
  for (Event& event : parts_.rules->TakeEvents()) events->push_back(std::move(event));
  for (const std::string& remark : parts_.rules->TakeRemarks()) spdlog::error("{}", remark);
}

void Sampler::PostSmapsTargets(uint64_t boot_ns) {
  const auto wanted = parts_.smaps_wanted->Now(boot_ns);
  if (shedder_.reads_smaps()) parts_.smaps->Post(builder_.SmapsTargets(wanted));
}

absl::Status Sampler::Tick() {
  const uint64_t boot_ns = BootNowNs();
  const int64_t wall_ns = WallNowNs();
  // In the first pass the kernel side has no rules yet, so that everybody is seen once.
  rule_driver_.Update(builder_.names(), boot_ns, last_boot_ns_ == 0 ? nullptr : probe_.get());
  want_all_ |= AttachWanted(boot_ns, wall_ns);
  builder_.SetWallOffset(wall_ns - static_cast<int64_t>(boot_ns));
  TakeAnswers();

  auto ring = [this](const tm_record_header& header) { builder_.OnRing(header); };
  probe_->DrainRing(ring);
  const bool all = want_all_ || ++ticks_since_all_ >= kAllEveryTicks;
  builder_.BeginPass(all);
  absl::Status status = probe_->Collect(all, [this](const tm_task_record& record) { builder_.OnTask(record); });
  if (!status.ok()) return status;
  probe_->DrainRing(ring);

  const uint64_t lost = LostRecords();
  want_all_ = lost != 0;  // someone's end may have been among the lost: look at everybody once
  if (all) ticks_since_all_ = 0;
  const uint64_t elapsed = last_boot_ns_ == 0 ? 0 : boot_ns - last_boot_ns_;
  last_boot_ns_ = boot_ns;
  if (elapsed > interval_ns() + interval_ns() / 2) ++late_ticks_;
  const taskmon::Tick tick{
      .seq = next_seq_++, .wall_ns = wall_ns, .boot_ns = boot_ns, .elapsed_ns = elapsed, .lost_records = lost};
  SampleBuilder::Result result = builder_.EndTick(tick);
  if (elapsed > kGapIntervals * interval_ns()) result.events.push_back(NoTickFor(tick));
  TakeRuleEdits(&result.events);
  const uint64_t recording_cpu_ns = RecordingThread::CpuNs() - answers_cpu_ns_;
  KeepBudget(tick, recording_cpu_ns, &result.events);
  auto events = std::make_shared<const std::vector<Event>>(std::move(result.events));
  Tell(result.verdicts);
  parts_.names->Post(std::move(result.requests));
  PostSmapsTargets(boot_ns);
  if (std::exchange(scan_connections_, false)) parts_.connections->Post(builder_.Processes());
  const bpf::LeftOut left_out = probe_->left_out();
  parts_.self->OnTick(boot_ns, {.all_ns = ReadClockNs(CLOCK_PROCESS_CPUTIME_ID), .recording_ns = recording_cpu_ns},
                      builder_.accounted_runtime_ns() + left_out.live_ns + left_out.dead_ns);
  parts_.writer->Post(std::move(result.stored), events, std::move(result.past));
  parts_.hub->Publish({std::move(result.snapshot), std::move(events)});
  meter_.OnTick(boot_ns, probe_.get());
  NoteTick(boot_ns, left_out);
  return absl::OkStatus();
}

void Sampler::KeepBudget(const taskmon::Tick& tick, uint64_t recording_cpu_ns, std::vector<Event>* events) {
  const LoadShedder::Spent spent{.cpu_ns = recording_cpu_ns, .stall_ns = parts_.smaps->stats().stall_ns};
  std::optional<Event> step = shedder_.OnTick(tick.boot_ns, tick.wall_ns, spent, &meter_, &builder_);
  if (!step) return;
  if (shedder_.figures().shed.empty()) {
    shed_since_wall_ns_ = 0;
  } else if (shed_since_wall_ns_ == 0) {
    shed_since_wall_ns_ = tick.wall_ns;
  }
  events->push_back(*std::move(step));
}

void Sampler::NoteTick(uint64_t began_boot_ns, const bpf::LeftOut& left_out) {
  const bool look = std::exchange(hooks_changed_, false) || next_seq_ % kHooksEveryTicks == 0;
  std::vector<bpf::Hook> hooks = look ? probe_->Hooks() : std::vector<bpf::Hook>();
  absl::MutexLock lock(&mutex_);
  ++stats_.ticks;
  stats_.late_ticks = late_ticks_;
  stats_.early_ticks = early_ticks_;
  stats_.failed_passes = failed_passes_;
  stats_.threads = builder_.thread_count();
  stats_.processes = builder_.process_count();
  stats_.tracked = builder_.tracked_threads();
  stats_.left_out = left_out;
  stats_.pre_roll = builder_.pre_roll_stats();
  stats_.rule_memory_turned_away = parts_.admission->turned_away();
  stats_.drops = drops_;
  if (look) stats_.hooks = std::move(hooks);
  stats_.hook_costs = meter_.costs();
  stats_.hook_costs_refused = meter_.refused();
  stats_.budget = shedder_.figures();
  stats_.shed_since_wall_ns = shed_since_wall_ns_;
  stats_.attached_wall_ns = attached_wall_ns_;
  stats_.last_tick_ns = BootNowNs() - began_boot_ns;
}

Sampler::Stats Sampler::stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

}  // namespace taskmon::daemon
