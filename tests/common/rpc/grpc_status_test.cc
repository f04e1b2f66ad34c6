#include "common/rpc/grpc_status.h"

#include <string>

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/error.pb.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

TEST(GrpcStatus, EveryCodeCrossesBothWays) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "words");
    EXPECT_EQ(ToGrpcStatus(status).error_code(), code);
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  }
}

TEST(GrpcStatus, CarriesTheErrorInfo) {
  const ErrorInfo info{ErrorReason::kJobNotFound, "job_id", "fpoctl list", {"j1"}};
  const absl::Status status = WithErrorInfo(absl::NotFoundError("no job j1"), info);
  const absl::Status back = FromGrpcStatus(ToGrpcStatus(status));
  EXPECT_EQ(GetErrorInfo(back), info);
  EXPECT_EQ(back.message(), "no job j1");
}

// Clients in other languages read google.rpc.Status, whose first detail is ours.
TEST(GrpcStatus, TheDetailsAreAnErrorDetailOfTheProto) {
  const ErrorInfo info{ErrorReason::kBadGrace, "f", "h", {"a", "b"}};
  pb::StatusDetails details;
  ASSERT_TRUE(details.ParseFromString(
      ToGrpcStatus(WithErrorInfo(absl::NotFoundError("m"), info)).error_details()));
  EXPECT_EQ(details.code(), 5);
  EXPECT_EQ(details.message(), "m");
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/fpo.v1.ErrorDetail");
  pb::ErrorDetail detail;
  ASSERT_TRUE(details.details(0).UnpackTo(&detail));
  EXPECT_EQ(detail.reason(), "BAD_GRACE");
  EXPECT_EQ(detail.field(), "f");
  EXPECT_EQ(detail.hint(), "h");
  EXPECT_EQ(detail.ids_size(), 2);
}

TEST(GrpcStatus, AReasonOfANewerServerKeepsTheRest) {
  pb::ErrorDetail detail;
  detail.set_reason("OF_NEXT_YEAR");
  detail.set_hint("do this");
  pb::StatusDetails details;
  details.add_details();  // from another sender
  details.add_details()->PackFrom(detail);
  const absl::Status status = FromGrpcStatus(
      grpc::Status(grpc::StatusCode::INTERNAL, "m", details.SerializeAsString() + "\x7a\x01x"));
  EXPECT_EQ(GetErrorInfo(status), ErrorInfo{.hint = "do this"});
}

TEST(GrpcStatus, EveryReasonOfTheProtoIsOneOfTheProgramsAndBack) {
  const std::string prefix = "ERROR_REASON_";
  const google::protobuf::EnumDescriptor* reasons = pb::ErrorReason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const google::protobuf::EnumValueDescriptor* value = reasons->value(i);
    const auto reason = static_cast<ErrorReason>(value->number());
    const std::string name(ErrorReasonName(reason));
    EXPECT_EQ(value->name(), prefix + (name.empty() ? "UNSPECIFIED" : name)) << value->number();
    EXPECT_EQ(ErrorReasonFromName(name), reason);
  }
  for (int number = 0; number < 1000; ++number) {
    const bool named = !ErrorReasonName(static_cast<ErrorReason>(number)).empty();
    EXPECT_EQ(named, number != 0 && reasons->FindValueByNumber(number) != nullptr) << number;
  }
}

TEST(GrpcStatus, SurvivesDetailsOfOthers) {
  for (const std::string& details :
       {std::string("garbage"), std::string(100, '\xff'), std::string("\x1a\xff\x01", 3),
        std::string("\x08\x05\x12\x01x", 5)}) {
    const absl::Status status =
        FromGrpcStatus(grpc::Status(grpc::StatusCode::INTERNAL, "m", details));
    EXPECT_TRUE(absl::IsInternal(status));
    EXPECT_EQ(ReasonOf(status), ErrorReason::kUnspecified);
  }
}

TEST(GrpcStatus, LeavesOutDetailsThatMetadataCannotCarry) {
  const absl::Status large =
      WithErrorInfo(absl::NotFoundError("m"), {.hint = std::string(10'000, 'x')});
  EXPECT_EQ(ToGrpcStatus(large).error_details(), "");
}

}  // namespace
}  // namespace fpo
