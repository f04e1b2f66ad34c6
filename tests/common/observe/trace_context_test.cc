#include "common/observe/trace_context.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

const char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
const char kSpan[] = "00f067aa0ba902b7";

TEST(TraceContext, IsReadAndWritten) {
  const std::string text = std::string("00-") + kTrace + "-" + kSpan + "-01";
  const auto context = ParseTraceparent(text);
  EXPECT_EQ(context, (TraceContext{kTrace, kSpan, true}));
  EXPECT_EQ(Traceparent(*context), text);
  const auto unsampled = ParseTraceparent(std::string("00-") + kTrace + "-" + kSpan + "-02");
  EXPECT_EQ(unsampled, (TraceContext{kTrace, kSpan, false}));
  EXPECT_EQ(Traceparent(*unsampled), std::string("00-") + kTrace + "-" + kSpan + "-00");
}

TEST(TraceContext, ALaterVersionMaySayMore) {
  EXPECT_TRUE(ParseTraceparent(std::string("cc-") + kTrace + "-" + kSpan + "-0f-more").has_value());
  EXPECT_FALSE(
      ParseTraceparent(std::string("00-") + kTrace + "-" + kSpan + "-01-more").has_value());
}

TEST(TraceContext, WhatIsMalformedIsNone) {
  const std::string zeros(32, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), "00-" + zeros + "-" + kSpan + "-01",
        std::string("00-") + kTrace + "-0000000000000000-01",
        std::string("ff-") + kTrace + "-" + kSpan + "-01",
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-") + kSpan + "-01",
        std::string("00-") + kTrace + "-" + kSpan, std::string("00-") + kTrace + "-" + kSpan + "-1",
        std::string("00-") + kTrace + "\n-" + kSpan + "-01"}) {
    EXPECT_FALSE(ParseTraceparent(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace fpo
