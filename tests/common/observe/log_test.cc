#include "common/observe/log.h"

#include "common/text/json.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

TEST(Log, WritesOneJsonObjectALine) {
  InitLog("test", LogLevel::kInfo);
  ::testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "two\nlines", {{"job", "j-1"}});
  Log(LogLevel::kDebug, "hidden");
  const std::string out = ::testing::internal::GetCapturedStderr();
  ASSERT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << out;
  const auto line = ParseJson(out);
  ASSERT_TRUE(line.ok()) << out;
  EXPECT_EQ(line->at("program"), "test");
  EXPECT_EQ(line->at("message"), "two\nlines");
  EXPECT_EQ(line->at("job"), "j-1");
}

}  // namespace
}  // namespace fpo
