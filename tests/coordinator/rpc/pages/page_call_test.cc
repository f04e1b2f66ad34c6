#include "coordinator/rpc/pages/page_call.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::coordinator {
namespace {

using nlohmann::json;

TEST(PageCallTest, ErrorsKeepTheirCodeWordsAndHint) {
  const HttpReply reply = ErrorReply(WithErrorInfo(
      absl::NotFoundError("no job \"x\""), {.reason = ErrorReason::kJobNotFound, .hint = "list"}));
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(json::parse(reply.body),
            json({{"code", "NOT_FOUND"}, {"error", "no job \"x\""}, {"hint", "list"}}));
  EXPECT_FALSE(json::parse(ErrorReply(absl::InternalError("x")).body).contains("hint"));
}

TEST(PageCallTest, EveryCodeIsAnError) {
  for (int code = 1; code <= 16; ++code) {
    EXPECT_GE(ErrorReply(absl::Status(static_cast<absl::StatusCode>(code), "x")).status, 400);
  }
}

TEST(PageCallTest, MessagesAreReadStrictly) {
  fpo::v1::ChangeJobRequest request;
  EXPECT_TRUE(ReadMessage("{\"job_id\":\"j-1\"}", &request).ok());
  EXPECT_EQ(request.job_id(), "j-1");
  EXPECT_TRUE(ReadMessage("", &request).ok());
  for (const char* wrong : {"{", "[]", "{\"job\":1}", "{\"job_id\":{}}"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadMessage(wrong, &request))) << wrong;
  }
}

TEST(PageCallTest, WhatIsNoTokenIsNotSent) {
  grpc::ClientContext context;
  EXPECT_TRUE(AddToken("", &context).ok());
  EXPECT_TRUE(AddToken("fpo_1", &context).ok());
  for (const std::string& wrong : {std::string("a b"), std::string("a\n"), std::string(257, 'a')}) {
    const absl::Status status = AddToken(wrong, &context);
    EXPECT_TRUE(absl::IsUnauthenticated(status));
    EXPECT_EQ(std::string(status.message()).find(wrong), std::string::npos);
  }
}

}  // namespace
}  // namespace fpo::coordinator
