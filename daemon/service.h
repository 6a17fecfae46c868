// SPDX-License-Identifier: Apache-2.0
//
// The gRPC face of the daemon: finds out who asks, hands the request to the query engine or the hub, and turns errors
// into gRPC codes. Runs on gRPC's pool and only reads. The number of open streams is limited; one more is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "daemon/early_call.h"
#include "daemon/hook_demand.h"
#include "daemon/peers.h"
#include "daemon/query/engine.h"
#include "daemon/shares.h"
#include "daemon/smaps_wanted.h"
#include "daemon/snapshot_hub.h"
#include "daemon/watch_answers.h"
#include "taskmon/v1/taskmon.grpc.pb.h"

namespace taskmon::daemon {

class Service final : public v1::Taskmon::Service {
 public:
  struct Sources {
    const Peers* peers;
    const SnapshotHub* hub;
    const query::Engine* engine;
    HookDemand* demand;
    SmapsWanted* smaps_wanted;
    std::function<v1::Status()> status;
    std::function<v1::Doctor()> doctor;
    std::function<int64_t()> stored_until_wall_ns;
    std::string state_dir;  // where snapshots are cut
    uint32_t max_streams;
  };

  explicit Service(Sources sources);

  uint64_t refused_streams() const { return streams_.refused() + cuts_.refused(); }

 private:
  // Each takes room on the disk and a CPU for a while.
  static constexpr uint32_t kMaxCuts = 4;

  struct Call {
    grpc::ServerContext* context;
    query::Caller caller;
  };
  using Status = grpc::Status;

  // How a method is answered: once it is known who asks, he has a share (`shares`, nullptr: none is needed), and his
  // request is read.
  template <typename Request, typename Reply>
  void Handle(const char* method, Shares* shares,
              Status (Service::*answer)(const Call&, const Request&, EarlyCall<Request, Reply>*));

  Status AnswerGetStatus(const Call&, const v1::StatusRequest&, EarlyCall<v1::StatusRequest, v1::Status>*);
  Status AnswerGetDoctor(const Call&, const v1::DoctorRequest&, EarlyCall<v1::DoctorRequest, v1::Doctor>*);
  Status AnswerListTasks(const Call&, const v1::ListTasksRequest&, EarlyCall<v1::ListTasksRequest, v1::TaskBatch>*);
  Status AnswerGetLife(const Call&, const v1::LifeRequest&, EarlyCall<v1::LifeRequest, v1::Life>*);
  Status AnswerReadHistory(const Call&, const v1::HistoryRequest&, EarlyCall<v1::HistoryRequest, v1::TaskBatch>*);
  Status AnswerReadTotals(const Call&, const v1::TotalsRequest&, EarlyCall<v1::TotalsRequest, v1::Totals>*);
  // With messages that are bytes already: answers that many share are encoded by us, once.
  Status AnswerWatchTasks(const Call&, const v1::WatchTasksRequest&,
                          EarlyCall<v1::WatchTasksRequest, grpc::ByteBuffer>*);
  Status AnswerReadEvents(const Call&, const v1::EventsRequest&, EarlyCall<v1::EventsRequest, v1::EventBatch>*);
  Status AnswerCutSnapshot(const Call&, const v1::SnapshotRequest&, EarlyCall<v1::SnapshotRequest, v1::SnapshotPiece>*);

  Status TooMany(const Shares& shares) const;
  void WaitUntilStored(grpc::ServerContext* context, int64_t wall_ns) const;
  bool IsWanted(const grpc::ServerContext& context) const;
  query::GoOn GoOnFor(const grpc::ServerContext& context) const;
  Status FollowEvents(const Call& call, const v1::EventsRequest& request, const Snapshot* newest, uint64_t after_seq,
                      EarlyCall<v1::EventsRequest, v1::EventBatch>* stream) const;

  const Sources sources_;
  Shares streams_;
  Shares cuts_{kMaxCuts};
  WatchAnswers answers_;
};

}  // namespace taskmon::daemon
