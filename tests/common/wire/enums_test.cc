#include "common/wire/enums.h"

#include <google/protobuf/descriptor.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

// "END_CLASS" or "STATUS": what buf wants before every value of the enum.
std::string PrefixOf(const std::string& enum_name) {
  std::string prefix;
  for (const char c : enum_name) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return prefix + "_";
}

// The two lists are the same: each value has its counterpart under the same name, there and back.
template <typename Enum>
void ExpectSame(const google::protobuf::EnumDescriptor* type) {
  using Proto = typename WireEnum<Enum>::Proto;
  ASSERT_EQ(type->value_count(), static_cast<int>(kEnumSize<Enum>) + 1) << type->full_name();
  EXPECT_TRUE(absl::EndsWith(type->FindValueByNumber(0)->name(), "_UNSPECIFIED"));
  EXPECT_EQ(FromProto(static_cast<Proto>(0)), std::nullopt);
  EXPECT_EQ(FromProto(static_cast<Proto>(kEnumSize<Enum> + 1)), std::nullopt)
      << "of a newer program";
  EXPECT_EQ(ToProto(std::optional<Enum>()), static_cast<Proto>(0));
  EXPECT_EQ(TextOf(static_cast<Proto>(0)), "");
  for (size_t i = 0; i < kEnumSize<Enum>; ++i) {
    const auto value = static_cast<Enum>(i);
    const auto* proto = type->FindValueByNumber(static_cast<int>(ToProto(value)));
    EXPECT_EQ(proto->name(),
              absl::StrCat(PrefixOf(type->name()), absl::AsciiStrToUpper(Name(value))));
    EXPECT_EQ(FromProto(ToProto(value)), value);
    EXPECT_EQ(TextOf(ToProto(value)), Name(value));
  }
}

TEST(WireEnums, AreThoseOfTheValues) {
  ExpectSame<DeviceKind>(pb::DeviceKind_descriptor());
  ExpectSame<EndClass>(pb::EndClass_descriptor());
  ExpectSame<JobKind>(pb::JobKind_descriptor());
  ExpectSame<JobState>(pb::JobState_descriptor());
  ExpectSame<LineStream>(pb::LineStream_descriptor());
  ExpectSame<Phase>(pb::Phase_descriptor());
  ExpectSame<ReportStatus>(pb::AttemptReport::Status_descriptor());
  ExpectSame<WorkerState>(pb::WorkerState_descriptor());
}

}  // namespace
}  // namespace fpo
