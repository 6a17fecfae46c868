// SPDX-License-Identifier: Apache-2.0
//
// Wires the parts together and owns them: probe and sampler, ring and writer, name reader, gRPC server and listener.
// Start brings them up in the order in which data flows, Run waits for a signal, Stop takes them down in reverse, so
// that the last tick is stored. Owned by the main thread.
#pragma once

#include <csignal>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/server.h>

#include "daemon/call_gate.h"
#include "daemon/config.h"
#include "daemon/listener.h"
#include "daemon/peers.h"
#include "daemon/privileges.h"
#include "daemon/reports.h"
#include "daemon/rule_desk.h"
#include "daemon/rule_service.h"
#include "daemon/rules/app_catalogue.h"
#include "daemon/rules/rule_book.h"
#include "daemon/rules/rule_engine.h"
#include "daemon/sampler.h"
#include "daemon/service.h"

namespace taskmon::daemon {

class Daemon {
 public:
  explicit Daemon(Config config);
  ~Daemon();

  // AlreadyExists: another taskmond has the socket or the history. PermissionDenied: names the missing capability.
  absl::Status Start();
  // Serves until SIGTERM or SIGINT, which must be blocked in every thread (BlockSignals).
  absl::Status Run();
  void Stop();

  // To be called before any thread is made.
  static void BlockSignals();

 private:
  absl::Status OpenListener();
  absl::Status OpenStorage(uint64_t* last_seq);
  absl::Status GiveUpRights();
  absl::StatusOr<std::string> InitialRules() const;
  absl::Status OpenRules();
  absl::Status StartSampling(uint64_t last_seq);
  absl::Status StartServing();
  void AcceptAll();
  Figures ReadFigures() const;
  Figures ReadDoctorFigures() const;

  const Config config_;
  const uint64_t started_boot_ns_;
  const std::vector<LackingCapability> lacking_;
  SnapshotHub hub_;
  SelfStats self_;
  NameReader names_;
  SmapsReader smaps_;
  SmapsWanted smaps_wanted_;
  HookDemand demand_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<rules::RuleBook> rules_;
  std::unique_ptr<rules::AppCatalogue> apps_;
  rules::Admission admission_;  // the sampler's
  ConnectionScan connections_;
  std::unique_ptr<rules::RuleEngine> rule_engine_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<query::Engine> engine_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<CallGate> call_gate_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<RuleDesk> rule_desk_;
  std::unique_ptr<RuleService> rule_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace taskmon::daemon
