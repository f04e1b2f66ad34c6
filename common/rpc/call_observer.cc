#include "common/rpc/call_observer.h"

#include <grpcpp/server_context.h>

#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/clock.h"

namespace fpo {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

class CallObserver final : public Interceptor {
 public:
  CallObserver(const char* path, const CallWatch& watch)
      : path_(absl::StripPrefix(path, "/")), watch_(watch) {
    if (watch_.on_begin) watch_.on_begin();
  }

  // Destroyed with the call, so a call that never sent a status is observed too.
  ~CallObserver() override {
    if (!watch_.on_handled) return;
    const std::pair<absl::string_view, absl::string_view> names =
        absl::StrSplit(path_, absl::MaxSplits('/', 1));
    HandledCall call;
    call.service = names.first;
    call.method = names.second;
    call.code = code_;
    call.duration = BootNow() - begin_;
    watch_.on_handled(call);
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      code_ = methods->GetSendStatus().error_code();
    }
    methods->Proceed();
  }

 private:
  const std::string path_;
  const CallWatch& watch_;
  const absl::Time begin_ = BootNow();
  int code_ = grpc::StatusCode::CANCELLED;
};

class CallObserverFactory final : public ServerInterceptorFactoryInterface {
 public:
  explicit CallObserverFactory(CallWatch watch) : watch_(std::move(watch)) {}

  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallObserver(info->method(), watch_);
  }

 private:
  const CallWatch watch_;
};

}  // namespace

std::unique_ptr<ServerInterceptorFactoryInterface> MakeCallObserver(CallWatch watch) {
  return std::make_unique<CallObserverFactory>(std::move(watch));
}

}  // namespace fpo
