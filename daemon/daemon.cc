// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <spdlog/spdlog.h>

#include "daemon/clocks.h"
#include "daemon/rule_answers.h"
#include "daemon/rules/default_rules.h"
#include "daemon/rules/rule_text.h"
#include "daemon/service_manager.h"
#include "daemon/syscall_filter.h"

namespace taskmon::daemon {
namespace {

constexpr int kServingNice = 5;
constexpr int kMaxRequestBytes = 64 * 1024;
// gRPC does all that it has read, however many calls that are, before it learns that the connection has been ended.
constexpr int kMostReadAtOnce = 4096;
// Of gRPC's pool, for those that wait for calls, and for calls whose connection is just being ended.
constexpr int kSpareThreads = 256;
constexpr uint64_t kSignsPerPeriod = 4;  // so that one that comes late is no death

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

std::string ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

int64_t MemoryTotalBytes() {
  struct sysinfo info {};
  sysinfo(&info);
  return static_cast<int64_t>(info.totalram) * info.mem_unit;
}

bool InInitialPidNamespace() {
  constexpr ino_t kInitial = 0xEFFFFFFC;  // PROC_PID_INIT_INO
  struct stat space {};
  return stat("/proc/self/ns/pid", &space) != 0 || space.st_ino == kInitial;
}

HookGroups ConfiguredHooks(const Config& config) {
  HookGroups groups;
  for (tm_hook_group group : config.hooks) groups.set(group);
  return groups;
}

SelfControl::Options Budget(const Config& config) {
  constexpr uint64_t kLongestIntervalNs = 3600ull * 1'000'000'000;
  SelfControl::Options budget{.cpu_percent = config.budget_cpu_percent,
                              .bpf_percent = config.budget_bpf_percent,
                              .stall_ns = config.budget_stall_per_second_ns,
                              .window_ns = config.budget_window_ns};
  const auto drop = [&budget](Shed step) { budget.pointless.set(static_cast<size_t>(step)); };
  if (config.smaps_per_second_ns == 0) drop(Shed::kSmaps);
  if (config.interval_ns * 2 > kLongestIntervalNs) drop(Shed::kInterval2);
  if (config.interval_ns * 4 > kLongestIntervalNs) drop(Shed::kInterval4);
  if (config.interval_ns * 8 > kLongestIntervalNs) drop(Shed::kInterval8);
  return budget;
}

std::string KernelRelease() {
  utsname names{};
  uname(&names);
  return names.release;
}

// In somebody else's directory whatever is opened might be a trap; and what root made there, user taskmon could not
// open later.
absl::Status MakeStateDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return absl::FailedPreconditionError(fmt::format("cannot make {}: {}", path, error.message()));
  struct stat directory {};
  if (stat(path.c_str(), &directory) != 0 || directory.st_uid == geteuid()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} belongs to uid {}, and this taskmond runs as uid {}: start it as that user, or give it a "
                  "--state-dir of its own",
                  path, directory.st_uid, geteuid()));
}

// The writer runs a moment behind the sampler; a failing disk is not waited for.
void WaitUntilStored(const Writer& writer, int64_t wall_ns) {
  for (int attempt = 0; attempt < 20 && writer.stats().ring.newest_wall_ns < wall_ns; ++attempt) {
    absl::SleepFor(absl::Milliseconds(50));
  }
}

}  // namespace

Daemon::Daemon(Config config)
    : config_(std::move(config)),
      started_boot_ns_(BootNowNs()),
      lacking_(LackingCapabilities()),
      smaps_({.per_target_ns = config_.smaps_per_target_ns, .per_second_ns = config_.smaps_per_second_ns}),
      demand_(ConfiguredHooks(config_)) {}

Daemon::~Daemon() { Stop(); }

void Daemon::BlockSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

absl::Status Daemon::Start() {
  // First of all, so that a second instance is refused before it touches the kernel or the history.
  if (absl::Status status = OpenListener(); !status.ok()) return status;
  uint64_t last_seq = 0;
  if (absl::Status status = OpenStorage(&last_seq); !status.ok()) return status;
  if (absl::Status status = OpenRules(); !status.ok()) return status;
  if (absl::Status status = StartSampling(last_seq); !status.ok()) return status;
  return StartServing();
}

absl::Status Daemon::OpenListener() {
  absl::StatusOr<std::optional<int>> passed = TakePassedSocket();
  if (!passed.ok()) return passed.status();
  if (passed->has_value()) {
    listener_ = Listener::Adopt(**passed);
    return absl::OkStatus();
  }
  auto listener = Listener::Open(config_.socket_path, config_.socket_mode);
  if (!listener.ok()) return listener.status();
  listener_ = std::move(*listener);
  return absl::OkStatus();
}

absl::Status Daemon::OpenStorage(uint64_t* last_seq) {
  if (absl::Status status = MakeStateDirectory(config_.state_dir); !status.ok()) return status;
  query::RemoveLeftCuts(config_.state_dir);
  auto ring = storage::RingWriter::Open({.path = config_.ring_path(),
                                         .cap_bytes = config_.history_cap_bytes,
                                         .max_age_ns = static_cast<int64_t>(config_.history_max_age_ns),
                                         .columns = query::RingColumns()});
  if (!ring.ok()) {
    return absl::Status(ring.status().code(),
                        fmt::format("{}: {}", config_.ring_path(), std::string(ring.status().message())));
  }
  *last_seq = (*ring)->last_tick_seq();
  if (const std::string aside = (*ring)->stats().set_aside; !aside.empty()) {
    spdlog::error("the history was damaged and is set aside as {}; a new one is begun", aside);
  }
  writer_ = std::make_unique<Writer>(std::move(*ring));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Daemon::InitialRules() const {
  if (config_.rules_initial.empty()) return std::string(rules::DefaultRuleText());
  std::ifstream file(config_.rules_initial);
  if (!file) {
    return absl::InvalidArgumentError(
        fmt::format("rules.initial: cannot read {}: {}", config_.rules_initial, std::strerror(errno)));
  }
  std::ostringstream text;
  text << file.rdbuf();
  const auto checked = rules::ReadRuleText(text.str(), config_.rules_initial);
  return checked.ok() ? absl::StatusOr<std::string>(text.str()) : checked.status();
}

absl::Status Daemon::OpenRules() {
  absl::StatusOr<std::string> defaults = InitialRules();
  if (!defaults.ok()) return defaults.status();
  auto book = rules::RuleBook::Open({.store = {.path = config_.rules_path(),
                                               .max_versions = config_.rules_keep_versions,
                                               .max_bytes = config_.rules_max_bytes},
                                     .defaults = *std::move(defaults),
                                     .now_wall_ns = WallNowNs,
                                     .now_boot_ns = BootNowNs});
  if (!book.ok()) {
    return absl::Status(book.status().code(),
                        fmt::format("{}: {}", config_.rules_path(), std::string(book.status().message())));
  }
  rules_ = std::move(*book);
  for (const std::string& remark : rules_->TakeRemarks()) spdlog::error("{}", remark);
  std::vector<std::string> problems;
  apps_ = std::make_unique<rules::AppCatalogue>(rules::AppCatalogue::Load(config_.apps_dir, &problems));
  for (const std::string& problem : problems) spdlog::warn("applications: {}", problem);
  return absl::OkStatus();
}

absl::Status Daemon::StartSampling(uint64_t last_seq) {
  auto probe = bpf::Probe::Open({.ring_bytes = config_.ring_bytes});
  if (!probe.ok()) return probe.status();
  if (absl::Status status = (*probe)->Load(); !status.ok()) return status;
  if (absl::Status status = (*probe)->Attach(TM_HOOKS_LIFECYCLE); !status.ok()) return status;
  if (absl::Status status = GiveUpRights(); !status.ok()) return status;
  const bool keep_untracked = config_.baseline == Config::Baseline::kAll;
  SampleBuilder builder({.boot_id = ReadBootId(),
                         .memory_total_bytes = MemoryTotalBytes(),
                         .apps = apps_.get(),
                         .admission = &admission_,
                         .keep_untracked = keep_untracked,
                         .pre_roll = {.max_age_ns = config_.pre_roll_age_ns, .max_bytes = config_.pre_roll_bytes}});
  sampler_ = std::make_unique<Sampler>(Sampler::Options{.interval_ns = config_.interval_ns,
                                                        .first_seq = last_seq + 1,
                                                        .keep_untracked = keep_untracked,
                                                        .sign_every_ns = WatchdogPeriodNs() / kSignsPerPeriod,
                                                        .budget = Budget(config_)},
                                       std::move(*probe), std::move(builder),
                                       Sampler::Parts{.hub = &hub_,
                                                      .writer = writer_.get(),
                                                      .names = &names_,
                                                      .smaps = &smaps_,
                                                      .smaps_wanted = &smaps_wanted_,
                                                      .demand = &demand_,
                                                      .rules = rules_.get(),
                                                      .admission = &admission_,
                                                      .connections = &connections_,
                                                      .self = &self_,
                                                      .sign_of_life = TellAlive});
  names_.Start();
  smaps_.Start();
  connections_.Start();
  if (absl::Status status = sampler_->Start(); !status.ok()) return status;
  // Whoever is started from here on, the writer and all that talk with clients, has no capability at all.
  if (absl::Status status = KeepCapabilitiesFor(Duty::kServing); !status.ok()) return status;
  writer_->Start();
  return absl::OkStatus();
}

// Before the first thread is made, so that all threads have no more.
absl::Status Daemon::GiveUpRights() {
  if (absl::Status status = ForbidNewPrivileges(); !status.ok()) return status;
  if (absl::Status status = KeepCapabilitiesFor(Duty::kStarting); !status.ok()) return status;
  absl::Status filtered = ForbidSystemCalls();
  if (!absl::IsUnimplemented(filtered)) return filtered;
  spdlog::warn("system calls are not filtered: {}", std::string(filtered.message()));
  return absl::OkStatus();
}

absl::Status Daemon::StartServing() {
  // gRPC's threads inherit it. Who asks much is not to keep the recorder from the CPU; the recorder has started.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kServingNice);
  engine_ = std::make_unique<query::Engine>(
      query::EngineOptions{.ring_path = config_.ring_path(),
                           .newest = [this] { return hub_.Newest(); },
                           .now_wall_ns = WallNowNs,
                           .wait_until_stored = [this](int64_t wall_ns) { WaitUntilStored(*writer_, wall_ns); }});
  peers_ = std::make_unique<Peers>(Peers::Options{.reader_group = config_.reader_group,
                                                  .admin_group = config_.admin_group,
                                                  .max_connections = config_.max_connections,
                                                  .now_ns = BootNowNs});
  call_gate_ = std::make_unique<CallGate>(peers_.get(), config_.max_subscriptions);
  service_ = std::make_unique<Service>(
      Service::Sources{.peers = peers_.get(),
                       .hub = &hub_,
                       .engine = engine_.get(),
                       .demand = &demand_,
                       .smaps_wanted = &smaps_wanted_,
                       .status = [this] { return MakeStatus(config_, ReadFigures()); },
                       .doctor = [this] { return MakeDoctor(config_, ReadDoctorFigures(), KernelRelease()); },
                       .stored_until_wall_ns = [this] { return writer_->stats().ring.newest_wall_ns; },
                       .state_dir = config_.state_dir,
                       .max_streams = config_.max_subscriptions});
  rule_engine_ = std::make_unique<RuleAnswers>(RuleAnswers::Sources{
      .ask_sampler = [this](const auto& question) { return sampler_->Ask(question); },
      .admission = &admission_,
      .newest = [this] { return hub_.Newest(); },
      .open_ring = [this] { return storage::RingReader::Open(config_.ring_path(), query::RingColumns()); },
      .ring_bytes = [this] { return writer_->stats().ring.used_bytes; },
      .now_wall_ns = WallNowNs,
      .keep_untracked = config_.baseline == Config::Baseline::kAll,
      .budgets = engine_->budgets()});
  rule_desk_ = std::make_unique<RuleDesk>(
      RuleDesk::Sources{.book = rules_.get(),
                        .engine = rule_engine_.get(),
                        .newest = [this] { return hub_.Newest(); },
                        .readers_only = config_.rules_readable_by == Config::RulesReadableBy::kReaders,
                        .reader_group = config_.reader_group,
                        .admin_group = config_.admin_group});
  rule_service_ = std::make_unique<RuleService>(peers_.get(), rule_desk_.get());
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("taskmond");
  quota.SetMaxThreads(static_cast<int>(call_gate_->limit()) + kSpareThreads);
  builder.SetResourceQuota(quota);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(call_gate_->MakeInterceptors());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kMostReadAtOnce);
  // Heeded by clients that mean well; the gate is for the others.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(call_gate_->of_one_user()));
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.RegisterService(service_.get());
  builder.RegisterService(rule_service_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("the gRPC server did not start");
  return absl::OkStatus();
}

Figures Daemon::ReadFigures() const {
  Figures figures = {.sampler = sampler_->stats(),
                     .writer = writer_->stats(),
                     .self = self_.Read(),
                     .smaps = smaps_.stats(),
                     .names_dropped = names_.dropped(),
                     .refused_streams = service_->refused_streams() + rule_desk_->refused_trials(),
                     .refused_calls = call_gate_->refused(),
                     .refused_connections = peers_->refused(),
                     .query_memory_turned_away = engine_->budgets()->turned_away(),
                     .uptime_s = static_cast<double>(BootNowNs() - started_boot_ns_) / 1e9};
  for (int group = 0; group < TM_HOOK_GROUP_MAX; ++group) {
    figures.hook_reasons[group] = demand_.Reason(static_cast<tm_hook_group>(group));
  }
  return figures;
}

// Asks the sampler besides, so for the doctor alone.
Figures Daemon::ReadDoctorFigures() const {
  Figures figures = ReadFigures();
  figures.lacking = lacking_;
  figures.all_tasks_visible = InInitialPidNamespace();
  const rules::RuleSetPtr set = rules_->Current();
  const auto matches = rule_engine_->Figures(*set);
  for (size_t i = 0; i < set->size(); ++i) {
    const rules::Rule& rule = set->rules()[i]->rule;
    if (rule.enabled) ++figures.rules_enabled;
    if (rule.enabled && matches[i].matched == 0u) figures.rules_without_match.push_back(rule.name);
  }
  return figures;
}

void Daemon::AcceptAll() {
  for (int fd = listener_->Accept(); fd >= 0; fd = listener_->Accept()) {
    auto registered = peers_->Register(fd);
    if (registered.ok()) {
      grpc::AddInsecureChannelFromFd(server_.get(), *registered);
    } else {
      close(fd);
    }
  }
}

absl::Status Daemon::Run() {
  const sigset_t signals = StopSignals();
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  for (int fd : {signal_fd, listener_->fd()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
      return absl::InternalError(fmt::format("epoll_ctl: {}", std::strerror(errno)));
    }
  }
  TellReady();
  const rules::RuleSetPtr set = rules_->Current();
  spdlog::info("ready: socket {}, history {}, {} rules in version {}", config_.socket_path, config_.ring_path(),
               set->size(), set->version());
  for (bool stopping = false; !stopping;) {
    epoll_event event{};
    if (epoll_wait(epoll_fd, &event, 1, -1) < 1) continue;
    if (event.data.fd == listener_->fd()) AcceptAll();
    if (event.data.fd != signal_fd) continue;
    signalfd_siginfo info{};
    stopping = read(signal_fd, &info, sizeof(info)) == sizeof(info);
    spdlog::info("stopping on {}", strsignal(static_cast<int>(info.ssi_signo)));
  }
  TellStopping();
  close(signal_fd);
  close(epoll_fd);
  return absl::OkStatus();
}

void Daemon::Stop() {
  hub_.Close();
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
    server_->Wait();
    server_.reset();
  }
  if (sampler_ != nullptr) sampler_->Stop();
  names_.Stop();
  smaps_.Stop();
  connections_.Stop();
  if (writer_ != nullptr) writer_->Stop();
  listener_.reset();
}

}  // namespace taskmon::daemon
