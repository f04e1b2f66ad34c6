#include "common/rpc/grpc_status.h"

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/error.pb.h"

namespace fpo {
namespace {

TEST(GrpcStatus, EveryCodeCrossesBothWays) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "words");
    EXPECT_EQ(ToGrpcStatus(status).error_code(), code);
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  }
}

TEST(GrpcStatus, CarriesTheErrorInfo) {
  const ErrorInfo info{"JOB_NOT_FOUND", "job_id", "fpoctl list", {"j1"}};
  const absl::Status status = WithErrorInfo(absl::NotFoundError("no job j1"), info);
  const absl::Status back = FromGrpcStatus(ToGrpcStatus(status));
  EXPECT_EQ(GetErrorInfo(back), info);
  EXPECT_EQ(back.message(), "no job j1");
}

TEST(GrpcStatus, ThePayloadIsAnErrorDetailOfTheProto) {
  const ErrorInfo info{"R", "f", "h", {"a", "b"}};
  fpo::v1::ErrorDetail detail;
  ASSERT_TRUE(detail.ParseFromString(EncodeErrorInfo(info)));
  EXPECT_EQ(detail.reason(), "R");
  EXPECT_EQ(detail.ids_size(), 2);
  EXPECT_EQ(DecodeErrorInfo(detail.SerializeAsString()), info);
}

TEST(GrpcStatus, SurvivesDetailsOfOthers) {
  for (const std::string& details :
       {std::string("garbage"), std::string(100, '\xff'), std::string("\x1a\xff\x01", 3),
        std::string("\x08\x05\x12\x01x", 5)}) {
    const absl::Status status =
        FromGrpcStatus(grpc::Status(grpc::StatusCode::INTERNAL, "m", details));
    EXPECT_TRUE(absl::IsInternal(status));
    EXPECT_EQ(ErrorReason(status), "");
  }
}

TEST(GrpcStatus, LeavesOutDetailsThatMetadataCannotCarry) {
  const absl::Status large =
      WithErrorInfo(absl::NotFoundError("m"), {.hint = std::string(10'000, 'x')});
  EXPECT_EQ(ToGrpcStatus(large).error_details(), "");
}

}  // namespace
}  // namespace fpo
