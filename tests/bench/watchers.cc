// SPDX-License-Identifier: Apache-2.0
//
// So many watchers of threads with the same question: watchers SOCKET WATCHERS TICKS [EXPRESSION], each with a
// connection of its own, as so many clients have. With "own" no two have the same question, though all get the same
// answer. Prints one line of JSON: what all of them got, and when the ticks were taken that the first of them saw (ns
// since boot).
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grpcpp/grpcpp.h>

#include "taskmon/v1/metric.pb.h"
#include "taskmon/v1/taskmon.grpc.pb.h"

namespace {

namespace v1 = taskmon::v1;

struct Wish {
  std::string socket;
  uint32_t ticks;
  std::string expression;
  bool own;
};

struct Got {
  std::atomic<uint64_t> answers{0}, rows{0}, bytes{0}, missed{0}, failed{0};
};

v1::WatchTasksRequest Question(const Wish& wish, int watcher) {
  v1::WatchTasksRequest request;
  request.set_count(wish.ticks);
  request.mutable_selection()->set_expression(
      wish.own ? fmt::format("({}) && tid != {}", wish.expression, 100'000'000 + watcher) : wish.expression);
  request.mutable_selection()->set_threads(true);
  for (const v1::Metric metric : {v1::TASK_RUNTIME_NS, v1::TASK_PM_SIZE, v1::TASK_READ_BYTES, v1::TASK_WRITE_BYTES}) {
    request.mutable_selection()->add_metrics(static_cast<uint32_t>(metric));
  }
  return request;
}

void Watch(const Wish& wish, int watcher, Got* got, std::vector<uint64_t>* ticks) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel = grpc::CreateCustomChannel("unix:" + wish.socket, grpc::InsecureChannelCredentials(), arguments);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  const auto reader = v1::Taskmon::NewStub(channel)->WatchTasks(&context, Question(wish, watcher));
  for (v1::TaskBatch batch; reader->Read(&batch);) {
    got->answers += batch.last() ? 1 : 0;
    got->rows += static_cast<uint64_t>(batch.samples_size());
    got->bytes += batch.ByteSizeLong();
    got->missed += batch.missed_ticks();
    if (ticks != nullptr && batch.last() && batch.ticks_size() > 0) ticks->push_back(batch.ticks(0).boot_ns());
  }
  if (!reader->Finish().ok()) ++got->failed;
}

}  // namespace

int main(int argc, char** argv) {
  const int watchers = argc > 2 ? std::atoi(argv[2]) : 0;
  if (argc < 4 || watchers < 1 || std::atoi(argv[3]) < 1) {
    fmt::print(stderr, "usage: watchers SOCKET WATCHERS TICKS [EXPRESSION [own]]\n");
    return 2;
  }
  const Wish wish{.socket = argv[1],
                  .ticks = static_cast<uint32_t>(std::atoi(argv[3])),
                  .expression = argc > 4 ? argv[4] : "tid != 0",
                  .own = argc > 5};
  Got got;
  std::vector<uint64_t> ticks;
  std::vector<std::thread> threads;
  for (int i = 0; i < watchers; ++i) threads.emplace_back(Watch, wish, i, &got, i == 0 ? &ticks : nullptr);
  for (std::thread& thread : threads) thread.join();
  fmt::print(R"({{"answers": {}, "rows": {}, "bytes": {}, "missed": {}, "failed": {}, "ticks": [{}]}})",
             got.answers.load(), got.rows.load(), got.bytes.load(), got.missed.load(), got.failed.load(),
             fmt::join(ticks, ", "));
  fmt::print("\n");
  return 0;
}
