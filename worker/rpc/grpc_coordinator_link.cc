#include "worker/rpc/grpc_coordinator_link.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <random>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/backoff.h"
#include "common/error_info.h"
#include "common/observe/log.h"
#include "common/rpc/channel.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "common/waits/stop_wait.h"
#include "proto/fpo/v1/worker.grpc.pb.h"
#include "worker/rpc/coordinator_session.h"

namespace fpo::worker {
namespace {

constexpr absl::Duration kDialLook = absl::Milliseconds(500);  // between looks at the stop request
constexpr absl::Duration kPauseOfSeveral = absl::Seconds(1);  // between two of several coordinators

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
  // One coordinator. Of several, one leads; the others say so, or are not there.
  struct Endpoint {
    std::string address;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<fpo::v1::WorkerControl::Stub> stub;
    std::unique_ptr<ArtifactSender> artifacts;
  };
  std::vector<Endpoint> endpoints;
  size_t current = 0;
  std::stop_source stop;
  std::thread thread;

  absl::Status AddEndpoint(const std::string& address);
  absl::Duration WelcomeTime() const {
    return endpoints.size() == 1 ? options.welcome_time
                                 : std::min(options.welcome_time, options.welcome_time_of_several);
  }
  bool Connect();
  void Next() { current = (current + 1) % endpoints.size(); }
  void Run();
};

absl::Status GrpcCoordinatorLink::State::AddEndpoint(const std::string& address) {
  Endpoint endpoint;
  endpoint.address = address;
  FPO_ASSIGN_OR_RETURN(endpoint.channel, MakeChannel(address, {.tls = options.tls,
                                                               .token_file = options.token_file}));
  FPO_ASSIGN_OR_RETURN(
      const auto bulk,
      MakeChannel(address, {.tls = options.tls, .token_file = options.token_file, .bulk = true}));
  endpoint.artifacts = std::make_unique<ArtifactSender>(
      bulk, ArtifactSender::Options{options.export_checkpoint, options.may_serve, options.pushes});
  endpoint.stub = fpo::v1::WorkerControl::NewStub(endpoint.channel);
  endpoints.push_back(std::move(endpoint));
  return absl::OkStatus();
}

// The channel dials with its own back-off, 0.5 s doubling to 5 s. A call on a disconnected channel
// would fail at once, adding our back-off to that. False when the agent ends.
bool GrpcCoordinatorLink::State::Connect() {
  for (bool said = false; !stop.stop_requested(); Next()) {
    // Of several each gets its look at once, or one that came to lead a moment ago is missed for as
    // long as its channel pauses and another one, which stands still, is listened to.
    if (endpoints.size() > 1) {
      grpc::experimental::ChannelResetConnectionBackoff(endpoints[current].channel.get());
    }
    if (endpoints[current].channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kDialLook))) {
      return true;
    }
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
    Endpoint& endpoint = endpoints[current];
    CoordinatorSession session(endpoint.stub.get(), listener,
                               {options.hello, options.store, WelcomeTime(),
                                [&](const auto& order) { endpoint.artifacts->Serve(order); }});
    bool was_connected = false;
    const absl::Status status = session.Run(stop.get_token(), [&] {
      was_connected = true;
      backoff.Reset();
      Log(LogLevel::kInfo, "session with the coordinator", {{"coordinator", endpoint.address}});
    });
    if (was_connected) listener->OnDisconnected();
    if (stop.stop_requested()) return;
    const absl::Status refusal = FinalRefusal(status, endpoint.address, listener->IsIdle());
    if (!refusal.ok()) {
      listener->OnRefused(std::string(refusal.message()));
      return options.on_refused(refusal);
    }
    if (ReasonOf(status) == ErrorReason::kWrongStore) {
      listener->OnWrongStore(std::string(status.message()));
    }
    // However it ended, another one may lead by now. A machine that stands still keeps its
    // connection: dialling it again and again would outlast --reattach of the new leader.
    Next();
    Log(LogLevel::kWarning, "the session with the coordinator ended; dialling again",
        {{"coordinator", endpoint.address}, {"error", std::string(status.message())}});
    const absl::Duration pause = backoff.Next();
    WaitUnlessStopped(stop.get_token(),
                      endpoints.size() > 1 ? std::min(pause, kPauseOfSeveral) : pause);
    listener->OnStillAway();
  }
}

GrpcCoordinatorLink::GrpcCoordinatorLink(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<GrpcCoordinatorLink>> GrpcCoordinatorLink::Start(
    Options options, CoordinatorListener* listener) {
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  for (const std::string& address : SplitAddresses(state->options.address)) {
    FPO_RETURN_IF_ERROR(state->AddEndpoint(address));
  }
  state->listener = listener;
  state->thread = std::thread([raw = state.get()] { raw->Run(); });
  return std::unique_ptr<GrpcCoordinatorLink>(new GrpcCoordinatorLink(std::move(state)));
}

GrpcCoordinatorLink::~GrpcCoordinatorLink() {
  state_->stop.request_stop();
  state_->thread.join();
}

}  // namespace fpo::worker
