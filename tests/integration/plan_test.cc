// `fpoctl validate --plan` with the real trainer on the tiny example, without a server.

#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/process.h"

namespace fpo::testing {
namespace {

class PlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/fpo-plan-test-XXXXXX";
    folder_ = mkdtemp(folder);
    const Outcome made = RunProgram({Environment("FPO_SOURCE_DIR") + "/examples/tiny/prepare.sh",
                                     folder_ + "/tiny", Environment("FPO_BIN_DIR") + "/fpo-train"});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!HasFailure()) std::filesystem::remove_all(folder_, ignored);
  }
  Outcome Validate(const std::vector<std::string>& words) const {
    std::vector<std::string> argv = {Environment("FPO_BIN_DIR") + "/fpoctl", "validate",
                                     folder_ + "/tiny/sft.yaml", "--plan"};
    argv.insert(argv.end(), words.begin(), words.end());
    return RunProgram(argv, {}, absl::Minutes(5));
  }
  std::string folder_;
};

TEST_F(PlanTest, StatesWhatTheTinyExampleTakes) {
  const Outcome outcome = Validate({"--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json plan = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(plan.at("device"), "cpu");
  EXPECT_GT(plan.at("steps").get<int>(), 0);
  EXPECT_GT(plan.at("host_bytes").get<int64_t>(), 100 << 20) << "the program alone";
  EXPECT_GT(plan.at("seconds").get<double>(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/tiny/runs"));
  const Outcome table = Validate({});
  EXPECT_TRUE(absl::StrContains(table.out, "fits on this machine")) << table.out;
}

}  // namespace
}  // namespace fpo::testing
