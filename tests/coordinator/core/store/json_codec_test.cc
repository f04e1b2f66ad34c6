#include "coordinator/core/store/json_codec.h"

#include <nlohmann/json.hpp>

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(JsonCodec, TimesReadBackAndNullIsLongAgo) {
  EXPECT_EQ(ToTime(FromTime(kStart + absl::Microseconds(7))), kStart + absl::Microseconds(7));
  EXPECT_EQ(ToTime(FromTime(absl::InfinitePast())), absl::InfinitePast());
  EXPECT_TRUE(At(Json{{"a", 1}}, "b").is_null());
}

TEST(JsonCodec, WhatThrowsIsDataLoss) {
  const auto number = [](const Json& json) { return json.at("n").get<int>(); };
  EXPECT_EQ(Parse(R"({"n":5})", "thing", number).value(), 5);
  for (const char* bytes : {"", "{", "{}", R"({"n":"x"})"}) {
    const absl::Status status = Parse(bytes, "thing", number).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << bytes;
    EXPECT_NE(status.message().find("stored thing"), absl::string_view::npos);
  }
}

}  // namespace
}  // namespace fpo::coordinator
