#include "common/rpc/security/call_token.h"

#include <map>
#include <utility>

namespace fpo {
namespace {

using grpc::experimental::InterceptionHookPoints;

class CallToken final : public grpc::experimental::Interceptor {
 public:
  explicit CallToken(const TokenOfCall& token) : token_(token) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", "Bearer " + token_());
    }
    methods->Proceed();
  }

 private:
  const TokenOfCall& token_;  // of the factory, which lives as long as its channel
};

class CallTokenFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit CallTokenFactory(TokenOfCall token) : token_(std::move(token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new CallToken(token_);
  }

 private:
  const TokenOfCall token_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeCallToken(
    TokenOfCall token) {
  return std::make_unique<CallTokenFactory>(std::move(token));
}

}  // namespace fpo
