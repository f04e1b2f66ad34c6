#pragma once

#include <google/protobuf/util/json_util.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/observe/http_server.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/wire_json.h"

// Calls of the status page as calls of a service. Both speak the same messages; whoever answers
// them admits, counts and audits them.
namespace fpo::coordinator {

using PageReply = std::function<void(HttpReply)>;

// {"code": "NOT_FOUND", "error": "...", "hint": "..."} with the HTTP status for the code.
HttpReply ErrorReply(const absl::Status& status);
HttpReply JsonReply(const google::protobuf::Message& message);

// Adds the token of the page's user to a call. Unauthenticated: it cannot be one.
absl::Status AddToken(const std::string& token, grpc::ClientContext* context);

// InvalidArgument: not the proto3 JSON of such a message, or with a field that it lacks.
absl::Status ReadMessage(const std::string& json, google::protobuf::Message* message);

// Calls a method of a stub's async part with a message from the call's body, which may be empty
// when `Request` is. Blocks no thread.
template <typename Async, typename Request, typename Response>
void CallService(Async* stub,
                 void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                       std::function<void(grpc::Status)>),
                 const HttpCall& call, PageReply reply) {
  struct State {
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  const auto state = std::make_shared<State>();  // shared: std::function copies
  absl::Status ready = AddToken(call.token, &state->context);
  if (ready.ok()) ready = ReadMessage(call.body, &state->request);
  if (!ready.ok()) return reply(ErrorReply(ready));
  SetDeadline(&state->context, kUnaryDeadline);
  (stub->*method)(
      &state->context, &state->request, &state->response,
      [state, reply = std::move(reply)](const grpc::Status& status) {
        reply(status.ok() ? JsonReply(state->response) : ErrorReply(FromGrpcStatus(status)));
      });
}

}  // namespace fpo::coordinator
