#include "common/rpc/security/call_token.h"

#include <map>
#include <utility>

namespace fpo {
namespace {

using grpc::experimental::InterceptionHookPoints;

class CallToken final : public grpc::experimental::Interceptor {
 public:
  explicit CallToken(const std::string& header) : header_(header) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", header_);
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;  // of the factory, which lives as long as its channel
};

class CallTokenFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit CallTokenFactory(const std::string& token) : header_("Bearer " + token) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new CallToken(header_);
  }

 private:
  const std::string header_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeCallToken(
    std::string token) {
  return std::make_unique<CallTokenFactory>(token);
}

}  // namespace fpo
