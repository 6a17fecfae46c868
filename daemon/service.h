// SPDX-License-Identifier: Apache-2.0
//
// The gRPC face of the daemon: finds out who asks, hands the request to the query engine or the hub, and turns errors
// into gRPC codes. Runs on gRPC's pool and only reads. The number of open streams is limited; one more is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

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

  grpc::Status GetStatus(grpc::ServerContext*, const v1::StatusRequest*, v1::Status*) override;
  grpc::Status GetDoctor(grpc::ServerContext*, const v1::DoctorRequest*, v1::Doctor*) override;
  grpc::Status ListTasks(grpc::ServerContext*, const v1::ListTasksRequest*,
                         grpc::ServerWriter<v1::TaskBatch>*) override;
  grpc::Status ReadHistory(grpc::ServerContext*, const v1::HistoryRequest*,
                           grpc::ServerWriter<v1::TaskBatch>*) override;
  grpc::Status ReadEvents(grpc::ServerContext*, const v1::EventsRequest*, grpc::ServerWriter<v1::EventBatch>*) override;
  grpc::Status ReadTotals(grpc::ServerContext*, const v1::TotalsRequest*, grpc::ServerWriter<v1::Totals>*) override;

  grpc::Status CutSnapshot(grpc::ServerContext*, const v1::SnapshotRequest*,
                           grpc::ServerWriter<v1::SnapshotPiece>*) override;

  grpc::Status GetLife(grpc::ServerContext*, const v1::LifeRequest*, v1::Life*) override;

  uint64_t refused_streams() const { return streams_.refused() + cuts_.refused(); }

 private:
  // Each takes room on the disk and a CPU for a while.
  static constexpr uint32_t kMaxCuts = 4;

  // WatchTasks, with messages that are bytes already.
  using BytesStream = grpc::ServerSplitStreamer<v1::WatchTasksRequest, grpc::ByteBuffer>;

  grpc::Status TooManyStreams() const;
  grpc::Status Watch(grpc::ServerContext* context, BytesStream* stream);
  bool IsWanted(const grpc::ServerContext& context) const;
  query::GoOn GoOnFor(const grpc::ServerContext& context) const;
  void WaitUntilStored(grpc::ServerContext* context, int64_t wall_ns) const;
  grpc::Status FollowEvents(grpc::ServerContext* context, const v1::EventsRequest& request, const query::Caller& caller,
                            const Snapshot* newest, uint64_t after_seq,
                            grpc::ServerWriter<v1::EventBatch>* writer) const;

  const Sources sources_;
  Shares streams_;
  Shares cuts_{kMaxCuts};
  WatchAnswers answers_;
};

}  // namespace taskmon::daemon
