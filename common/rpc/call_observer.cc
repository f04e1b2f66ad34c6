#include "common/rpc/call_observer.h"

#include <grpcpp/server_context.h>

#include <utility>

#include "absl/strings/strip.h"
#include "absl/time/clock.h"

namespace fpo {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

class CallObserver final : public Interceptor {
 public:
  CallObserver(const char* path, const std::function<void(const HandledCall&)>& on_handled)
      : path_(absl::StripPrefix(path, "/")), on_handled_(on_handled) {}

  // Destroyed with the call, so a call that never sent a status is seen too.
  ~CallObserver() override {
    const size_t slash = path_.find('/');
    if (slash == std::string::npos) return;
    HandledCall call;
    call.service = absl::string_view(path_).substr(0, slash);
    call.method = absl::string_view(path_).substr(slash + 1);
    call.code = code_;
    call.duration = absl::Now() - begin_;
    on_handled_(call);
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      code_ = methods->GetSendStatus().error_code();
    }
    methods->Proceed();
  }

 private:
  const std::string path_;
  const std::function<void(const HandledCall&)>& on_handled_;
  const absl::Time begin_ = absl::Now();
  int code_ = grpc::StatusCode::CANCELLED;
};

class CallObserverFactory final : public ServerInterceptorFactoryInterface {
 public:
  explicit CallObserverFactory(std::function<void(const HandledCall&)> on_handled)
      : on_handled_(std::move(on_handled)) {}

  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallObserver(info->method(), on_handled_);
  }

 private:
  const std::function<void(const HandledCall&)> on_handled_;
};

}  // namespace

std::unique_ptr<ServerInterceptorFactoryInterface> MakeCallObserver(
    std::function<void(const HandledCall&)> on_handled) {
  return std::make_unique<CallObserverFactory>(std::move(on_handled));
}

}  // namespace fpo
