#include "worker/rpc/grpc_coordinator_link.h"

#include <grpcpp/channel.h>

#include <random>
#include <stop_token>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/backoff.h"
#include "common/error_info.h"
#include "common/observe/log.h"
#include "common/rpc/channel.h"
#include "common/status_macros.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "worker/core/process/stop_wait.h"
#include "worker/rpc/coordinator_session.h"

namespace fpo::worker {
namespace {

constexpr absl::Duration kDialLook = absl::Milliseconds(500);  // between looks at the stop request

// Why dialling again is pointless; OK: it is not.
absl::Status FinalRefusal(const absl::Status& status, const std::string& address, bool idle) {
  const ErrorReason reason = ReasonOf(status);
  if (reason == ErrorReason::kWorkerNameTaken || reason == ErrorReason::kWorkerReplaced ||
      reason == ErrorReason::kBadHello) {
    return status;
  }
  // A token may have been revoked by mistake, so running attempts continue.
  const bool unknown = absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
  if (unknown && idle) {
    const std::string own = reason == ErrorReason::kNotYours ? GetErrorInfo(status)->hint : "";
    return WithErrorInfo(
        absl::Status(status.code(), absl::StrCat("the coordinator at ", address,
                                                 " does not take this worker: ", status.message())),
        {.reason = reason,
         .hint = !own.empty() ? own
                              : "pass --token-file with a worker's token; the coordinator's "
                                "administrator creates one: fpoctl token create NAME --role worker "
                                "--access FILE"});
  }
  if (absl::IsUnimplemented(status)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--coordinator: the server at ", address, " is not an fpo-coordinator"));
  }
  return absl::OkStatus();
}

}  // namespace

struct GrpcCoordinatorLink::State {
  Options options;
  CoordinatorListener* listener = nullptr;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<fpo::v1::WorkerControl::Stub> stub;
  std::unique_ptr<ArtifactSender> artifacts;
  std::stop_source stop;
  std::thread thread;

  bool Connect();
  void Run();
};

// The channel dials with its own back-off, 0.5 s doubling to 5 s. A call on a disconnected channel
// would fail at once, adding our back-off to that. False when the agent ends.
bool GrpcCoordinatorLink::State::Connect() {
  for (bool said = false; !stop.stop_requested();) {
    if (channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kDialLook))) return true;
    listener->OnStillAway();
    if (!std::exchange(said, true)) {
      Log(LogLevel::kWarning, "the coordinator cannot be reached; dialling until it can",
          {{"coordinator", options.address}});
    }
  }
  return false;
}

void GrpcCoordinatorLink::State::Run() {
  Backoff backoff({.first = options.backoff_first,
                   .most = options.backoff_most,
                   .seed = std::random_device()()});
  while (Connect()) {
    options.hello.devices = options.devices();
    CoordinatorSession session(stub.get(), listener,
                               {options.hello, options.welcome_time,
                                [this](const auto& order) { artifacts->Serve(order); }});
    bool was_connected = false;
    const absl::Status status = session.Run(stop.get_token(), [&] {
      was_connected = true;
      backoff.Reset();
      Log(LogLevel::kInfo, "session with the coordinator", {{"coordinator", options.address}});
    });
    if (was_connected) listener->OnDisconnected();
    if (stop.stop_requested()) return;
    const absl::Status refusal = FinalRefusal(status, options.address, listener->IsIdle());
    if (!refusal.ok()) {
      listener->OnRefused(std::string(refusal.message()));
      return options.on_refused(refusal);
    }
    Log(LogLevel::kWarning, "the session with the coordinator ended; dialling again",
        {{"coordinator", options.address}, {"error", std::string(status.message())}});
    WaitUnlessStopped(stop.get_token(), backoff.Next());
    listener->OnStillAway();
  }
}

GrpcCoordinatorLink::GrpcCoordinatorLink(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<GrpcCoordinatorLink>> GrpcCoordinatorLink::Start(
    Options options, CoordinatorListener* listener) {
  auto state = std::make_unique<State>();
  FPO_ASSIGN_OR_RETURN(
      state->channel,
      MakeChannel(options.address, {.tls = options.tls, .token_file = options.token_file}));
  FPO_ASSIGN_OR_RETURN(
      const auto bulk,
      MakeChannel(options.address,
                  {.tls = options.tls, .token_file = options.token_file, .bulk = true}));
  state->options = std::move(options);
  state->artifacts = std::make_unique<ArtifactSender>(bulk, state->options.export_checkpoint,
                                                      state->options.may_serve);
  state->listener = listener;
  state->stub = fpo::v1::WorkerControl::NewStub(state->channel);
  state->thread = std::thread([raw = state.get()] { raw->Run(); });
  return std::unique_ptr<GrpcCoordinatorLink>(new GrpcCoordinatorLink(std::move(state)));
}

GrpcCoordinatorLink::~GrpcCoordinatorLink() {
  state_->stop.request_stop();
  state_->thread.join();
}

}  // namespace fpo::worker
