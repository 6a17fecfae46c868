// SPDX-License-Identifier: Apache-2.0
#include "client/grpc_backend.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include "client/history_parts.h"
#include "taskmon/v1/rules.grpc.pb.h"
#include "taskmon/v1/taskmon.grpc.pb.h"

namespace taskmon::client {
namespace {

constexpr int kMaxMessageBytes = 64 << 20;
constexpr int kReconnectMs = 1000;
constexpr std::chrono::seconds kUnaryDeadline{10};
constexpr std::chrono::seconds kEditDeadline{60};    // thousands of rules
constexpr std::chrono::seconds kTrialDeadline{600};  // reads history
constexpr size_t kPieceBytes = 32 * 1024;            // of a file, within taskmond's limit for a message

// Why connecting fails, as errno; 0: it does not. gRPC's own text hides the difference between "no such socket" and
// "not allowed".
int TryToConnect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const int error = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  close(fd);
  return error;
}

absl::Status NotReachable(const std::string& path, const std::string& reason) {
  return absl::UnavailableError(fmt::format(
      "taskmond is not reachable at {}: {}; start it with 'systemctl start taskmond' or pass --socket", path, reason));
}

absl::Status NotAllowed(const std::string& path) {
  return absl::PermissionDeniedError(fmt::format(
      "no permission to use {}; membership of group taskmon grants it ('usermod -aG taskmon USER', then log in again)",
      path));
}

absl::Status ConnectionFailure(const std::string& path, const grpc::Status& status) {
  const int error = TryToConnect(path);
  if (error == EACCES || error == EPERM) return NotAllowed(path);
  if (error != 0) return NotReachable(path, std::strerror(error));
  const std::string& message = status.error_message();
  for (const char* broken : {"Socket closed", "onnection reset", "Broken pipe", "GOAWAY", "Stream removed"}) {
    if (message.find(broken) == std::string::npos) continue;
    return absl::UnavailableError(
        fmt::format("taskmond at {} broke off the answer ({}); 'systemctl status taskmond' tells more", path, message));
  }
  if (message.find("failed to connect") != std::string::npos) return NotReachable(path, message);
  return absl::UnavailableError(message);  // its own words: it is not ready yet
}

absl::Status FromGrpc(const std::string& path, const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK: return absl::OkStatus();
    case grpc::StatusCode::UNAVAILABLE: return ConnectionFailure(path, status);
    case grpc::StatusCode::DEADLINE_EXCEEDED: return NotReachable(path, "no answer in time");
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      // gRPC's words for a request that taskmond does not take.
      if (status.error_message().rfind("Received message larger than max", 0) != 0) break;
      return absl::InvalidArgumentError("the question is longer than taskmond takes (64 KiB)");
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError("this taskmond cannot do that; is it older than taskmonctl?");
    default: break;
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

class GrpcBackend : public Backend {
 public:
  explicit GrpcBackend(const std::string& path) : path_(path) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // A socket of this machine costs nothing to try: who waits for taskmond sees it soon after it is back.
    // (The minimum is another thing to gRPC: how long an attempt may take.)
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
    const auto channel = grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::Taskmon::NewStub(channel);
    rules_ = v1::Rules::NewStub(channel);
  }

  absl::StatusOr<v1::Status> GetStatus() override {
    return Unary<v1::Status>([&](grpc::ClientContext* context, v1::Status* answer) {
      return stub_->GetStatus(context, v1::StatusRequest(), answer);
    });
  }
  absl::StatusOr<v1::Doctor> GetDoctor() override {
    return Unary<v1::Doctor>([&](grpc::ClientContext* context, v1::Doctor* answer) {
      return stub_->GetDoctor(context, v1::DoctorRequest(), answer);
    });
  }
  absl::Status ListTasks(const v1::ListTasksRequest& request, const TaskSink& sink) override {
    return Stream<v1::TaskBatch>(sink, [&](grpc::ClientContext* c) { return stub_->ListTasks(c, request); });
  }
  absl::Status WatchTasks(const v1::WatchTasksRequest& request, const TaskSink& sink) override {
    return Stream<v1::TaskBatch>(sink, [&](grpc::ClientContext* c) { return stub_->WatchTasks(c, request); });
  }
  absl::Status ReadHistory(const v1::HistoryRequest& request, const TaskSink& sink) override {
    return InParts(request, sink, [&](const v1::HistoryRequest& part, const TaskSink& take) {
      return Stream<v1::TaskBatch>(take, [&](grpc::ClientContext* c) { return stub_->ReadHistory(c, part); });
    });
  }
  absl::Status ReadEvents(const v1::EventsRequest& request, const EventSink& sink) override {
    return Stream<v1::EventBatch>(sink, [&](grpc::ClientContext* c) { return stub_->ReadEvents(c, request); });
  }
  absl::Status ReadTotals(const v1::TotalsRequest& request, const TotalsSink& sink) override {
    return Stream<v1::Totals>(sink, [&](grpc::ClientContext* c) { return stub_->ReadTotals(c, request); });
  }

  absl::StatusOr<v1::Life> GetLife(const v1::LifeRequest& request) override {
    return Unary<v1::Life>([&](auto* context, auto* answer) { return stub_->GetLife(context, request, answer); });
  }
  absl::Status CutSnapshot(const v1::SnapshotRequest& request, const PieceSink& sink) override {
    return Stream<v1::SnapshotPiece>(sink, [&](grpc::ClientContext* c) { return stub_->CutSnapshot(c, request); });
  }

  absl::StatusOr<v1::RuleList> ListRules(const v1::ListRulesRequest& request) override {
    return Unary<v1::RuleList>(
        [&](auto* context, auto* answer) { return rules_->ListRules(context, request, answer); });
  }
  absl::StatusOr<v1::RuleFile> ExportRules(const v1::ExportRulesRequest& request) override {
    return Unary<v1::RuleFile>(
        [&](auto* context, auto* answer) { return rules_->ExportRules(context, request, answer); });
  }
  absl::StatusOr<v1::RuleEdit> EditRules(const v1::EditRulesRequest& edit, std::string_view text) override {
    const auto send = [&](grpc::ClientContext* context, v1::RuleEdit* answer) {
      const auto writer = rules_->EditRules(context, answer);
      bool listening = writer->Write(edit);
      for (; listening && !text.empty(); text.remove_prefix(std::min(text.size(), kPieceBytes))) {
        v1::EditRulesRequest piece;
        piece.set_text(std::string(text.substr(0, kPieceBytes)));
        listening = writer->Write(piece);
      }
      writer->WritesDone();
      return writer->Finish();  // tells why nobody listened
    };
    return Unary<v1::RuleEdit>(send, kEditDeadline);
  }
  absl::StatusOr<v1::RuleVersionList> ListRuleVersions() override {
    return Unary<v1::RuleVersionList>([&](auto* context, auto* answer) {
      return rules_->ListRuleVersions(context, v1::ListRuleVersionsRequest(), answer);
    });
  }
  absl::StatusOr<v1::TaskExplanation> ExplainTask(const v1::ExplainTaskRequest& request) override {
    return Unary<v1::TaskExplanation>(
        [&](auto* context, auto* answer) { return rules_->ExplainTask(context, request, answer); });
  }
  absl::StatusOr<v1::ExpressionExplanation> ExplainExpression(const v1::ExplainExpressionRequest& request) override {
    return Unary<v1::ExpressionExplanation>(
        [&](auto* context, auto* answer) { return rules_->ExplainExpression(context, request, answer); });
  }
  absl::StatusOr<v1::RuleTrial> TestRule(const v1::TestRuleRequest& request) override {
    return Unary<v1::RuleTrial>([&](auto* context, auto* answer) { return rules_->TestRule(context, request, answer); },
                                kTrialDeadline);
  }

  void Cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  // Makes a call known to Cancel for as long as it runs.
  class Call {
   public:
    explicit Call(GrpcBackend* backend) : backend_(backend) {
      const std::lock_guard lock(backend_->mutex_);
      backend_->context_ = &context_;
      if (backend_->cancelled_) context_.TryCancel();
    }
    ~Call() {
      const std::lock_guard lock(backend_->mutex_);
      backend_->context_ = nullptr;
    }
    grpc::ClientContext* context() { return &context_; }

   private:
    GrpcBackend* backend_;
    grpc::ClientContext context_;
  };

  template <typename Answer, typename Ask>
  absl::StatusOr<Answer> Unary(Ask ask, std::chrono::seconds deadline = kUnaryDeadline) {
    Call call(this);
    call.context()->set_deadline(std::chrono::system_clock::now() + deadline);
    Answer answer;
    const absl::Status status = FromGrpc(path_, ask(call.context(), &answer));
    if (!status.ok()) return status;
    return answer;
  }

  template <typename Batch, typename Sink, typename Open>
  absl::Status Stream(const Sink& sink, Open open) {
    Call call(this);
    auto reader = open(call.context());
    Batch batch;
    bool enough = false;
    while (!enough && reader->Read(&batch)) enough = !sink(batch);
    if (enough) call.context()->TryCancel();
    const grpc::Status status = reader->Finish();
    return enough ? absl::OkStatus() : FromGrpc(path_, status);
  }

  const std::string path_;
  std::unique_ptr<v1::Taskmon::Stub> stub_;
  std::unique_ptr<v1::Rules::Stub> rules_;
  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;  // guarded by mutex_
  bool cancelled_ = false;                  // guarded by mutex_
};

}  // namespace

std::unique_ptr<Backend> MakeGrpcBackend(const std::string& socket_path) {
  return std::make_unique<GrpcBackend>(socket_path);
}

}  // namespace taskmon::client
