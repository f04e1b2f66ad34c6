#include "coordinator/core/store/stored_value.h"

#include <nlohmann/json.hpp>

#include "common/values/job_state.h"
#include "coordinator/core/store/stored_fields.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

template <typename T>
Json StoredForm(const T& value) {
  Json json;
  Put(&json, value);
  return json;
}
template <typename T>
T ReadBack(const T& value) {
  T read{};
  Get(StoredForm(value), &read);
  return read;
}

TEST(StoredValue, TimesReadBackAndNullIsLongAgo) {
  EXPECT_EQ(ReadBack(kStart + absl::Microseconds(7)), kStart + absl::Microseconds(7));
  EXPECT_TRUE(StoredForm(absl::InfinitePast()).is_null());
  EXPECT_EQ(ReadBack(absl::InfinitePast()), absl::InfinitePast());
  EXPECT_EQ(ReadBack(std::optional(kStart)), std::optional(kStart));
  EXPECT_EQ(ReadBack(std::optional<absl::Time>()), std::nullopt);
  EXPECT_TRUE(MemberOf(Json{{"a", 1}}, "b").is_null());
}

TEST(StoredValue, EnumsAreStoredByName) {
  EXPECT_EQ(StoredForm(JobState::kHeld), "HELD");
  EXPECT_EQ(ReadBack(JobState::kHeld), JobState::kHeld);
  JobState state = JobState::kQueued;
  EXPECT_THROW(Get(Json("ASLEEP"), &state), std::exception);
  EXPECT_EQ(StoredForm(std::optional<JobState>()), "");
  std::optional<JobState> maybe = JobState::kQueued;
  Get(Json("ASLEEP"), &maybe);
  EXPECT_EQ(maybe, std::nullopt);
}

TEST(StoredValue, WhatThrowsIsDataLoss) {
  int32_t number = 0;
  const auto read = [&](const Json& json) { Get(RequiredMemberOf(json, "n"), &number); };
  EXPECT_TRUE(ReadStored(R"({"n":5})", "thing", read).ok());
  EXPECT_EQ(number, 5);
  for (const char* bytes : {"", "{", "{}", R"({"n":"x"})", R"({"n":null})"}) {
    const absl::Status status = ReadStored(bytes, "thing", read);
    EXPECT_TRUE(absl::IsDataLoss(status)) << bytes;
    EXPECT_NE(status.message().find("stored thing"), absl::string_view::npos);
  }
}

// A struct within a struct, in the manner of the codecs.
struct Inner {
  int32_t a = 1;
  bool operator==(const Inner&) const = default;
};
struct Outer {
  Inner inner;
  std::vector<Inner> list;
  bool operator==(const Outer&) const = default;
};
void Fields(auto& archive, MaybeConst<Inner> auto& i) { archive("a", i.a); }
void Fields(auto& archive, MaybeConst<Outer> auto& o) {
  archive("inner", o.inner);
  archive("list", o.list);
}

TEST(StoredFields, StructsNest) {
  const Outer outer = {{5}, {{6}, {7}}};
  EXPECT_EQ(EncodeObject(outer), R"({"inner":{"a":5},"list":[{"a":6},{"a":7}]})");
  EXPECT_EQ(DecodeObject<Outer>(EncodeObject(outer), "outer").value(), outer);
}

TEST(StoredFields, AbsentFieldsKeepTheirDefaultAndOtherTypesAreDamage) {
  EXPECT_EQ(DecodeObject<Outer>("{}", "outer").value(), Outer{});
  EXPECT_EQ(DecodeObject<Outer>(R"({"inner":null,"list":null,"new":1})", "outer").value(), Outer{});
  for (const char* bytes : {"3", R"({"inner":3})", R"({"list":3})", R"({"list":[3]})"}) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeObject<Outer>(bytes, "outer").status())) << bytes;
  }
}

}  // namespace
}  // namespace fpo::coordinator
