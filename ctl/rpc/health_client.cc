#include "ctl/rpc/health_client.h"

#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "common/rpc/deadline.h"

namespace fpo::ctl {
namespace {

// Debian ships no header of grpc.health.v1. Its request {string service = 1} and response {enum
// status = 1} have the same wire format as these wrappers.
using HealthRequest = google::protobuf::StringValue;
using HealthAnswer = google::protobuf::Int32Value;

}  // namespace

Health CheckHealth(const std::shared_ptr<grpc::Channel>& channel, absl::Duration timeout) {
  grpc::TemplatedGenericStub<HealthRequest, HealthAnswer> stub(channel);
  grpc::ClientContext context;
  SetDeadline(&context, timeout);
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", HealthRequest(), &queue);
  call->StartCall();
  HealthAnswer answer;
  grpc::Status status;
  call->Finish(&answer, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);  // ends at the call's deadline
  if (!ok || !status.ok()) return {"UNREACHABLE", status};
  if (answer.value() == 1) return {"SERVING", status};
  return {answer.value() == 2 ? "NOT_SERVING" : "UNKNOWN", status};
}

}  // namespace fpo::ctl
