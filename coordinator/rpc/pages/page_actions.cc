#include "coordinator/rpc/pages/page_actions.h"

#include <utility>

#include "common/error_info.h"
#include "coordinator/rpc/pages/page_call.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

// Over a channel within the process nobody shows a certificate, so who needs one elsewhere would
// need nothing here.
absl::Status AllowedOn(const ListenOptions& listen) {
  if (listen.tls.ca.empty() || !listen.access.empty()) return absl::OkStatus();
  return WithErrorInfo(
      absl::PermissionDeniedError(
          "callers of this coordinator are known by their certificates, and the page has none"),
      {.reason = ErrorReason::kUnauthenticated,
       .hint = "use fpoctl; with an access list (--access) the page takes tokens"});
}

}  // namespace

PageActions::PageActions(const std::shared_ptr<grpc::Channel>& coordinator,
                         const ListenOptions& listen)
    : allowed_(AllowedOn(listen)), stub_(pb::Coordinator::NewStub(coordinator)) {}

HttpCallRoutes PageActions::Routes() const {
  using Async = class pb::Coordinator::Stub::async;  // a method has this name too
  HttpCallRoutes routes;
  const auto add = [&]<typename Request, typename Response>(
                       const char* path,
                       void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                             std::function<void(grpc::Status)>)) {
    routes[path] = {.is_post = true, .answer = [this, method](HttpCall call, PageReply reply) {
                      if (!allowed_.ok()) return reply(ErrorReply(allowed_));
                      CallService(stub_->async(), method, call, std::move(reply));
                    }};
  };
  add.operator()<pb::CancelJobRequest, pb::CancelJobResponse>("/api/cancel", &Async::CancelJob);
  add.operator()<pb::ChangeJobRequest, pb::ChangeJobResponse>("/api/hold", &Async::HoldJob);
  add.operator()<pb::ChangeJobRequest, pb::ChangeJobResponse>("/api/release", &Async::ReleaseJob);
  add.operator()<pb::ChangeJobRequest, pb::ChangeJobResponse>("/api/pause", &Async::PauseJob);
  add.operator()<pb::ChangeJobRequest, pb::ChangeJobResponse>("/api/resume", &Async::ResumeJob);
  add.operator()<pb::RetryJobRequest, pb::SubmitResponse>("/api/retry", &Async::RetryJob);
  return routes;
}

}  // namespace fpo::coordinator
