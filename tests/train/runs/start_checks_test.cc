#include "train/runs/start_checks.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

class StartChecksTest : public ::testing::Test {
 protected:
  absl::StatusOr<RunInputs> Load() {
    RunInputOptions options;
    options.prepared = tiny_.Path("prepared");
    options.reference = "auto";
    options.auto_file = tiny_.Path("reference.fpr");
    return LoadRunInputs(tiny_.Job("fpo"), options, events_);
  }
  static LivePairs Live(const RunInputs& inputs) {
    auto live =
        ScoreLive(inputs, {inputs.train.pair(0), inputs.train.pair(1), inputs.train.pair(2)});
    EXPECT_TRUE(live.ok()) << live.status();
    return *std::move(live);
  }
  const TinyRun tiny_;
  RecordingSink events_;
};

TEST_F(StartChecksTest, OwnRecordsPass) {
  const auto inputs = Load();
  ASSERT_TRUE(inputs.ok());
  const auto probe = ProbeReference(*inputs, Live(*inputs), "float32");
  ASSERT_TRUE(probe.ok()) << probe.status();
  EXPECT_EQ(probe->responses, 6);
  EXPECT_LT(probe->logp_error_max, 1e-4);
}

TEST_F(StartChecksTest, OneChangedWeightIsSeen) {
  auto inputs = Load();
  ASSERT_TRUE(inputs.ok());
  {
    const at::NoGradGuard no_grad;
    inputs->policy.model.Parameters()[5].second.flatten()[0] += 1.0;
  }
  const auto probe = ProbeReference(*inputs, Live(*inputs), "float32");
  EXPECT_EQ(ExitCodeOf(probe.status()), ExitCode::kForeignCache);
  EXPECT_THAT(std::string(probe.status().message()), ::testing::HasSubstr("computed now"));
}

TEST_F(StartChecksTest, FeaturesOfAnotherSaeAreSeen) {
  auto inputs = Load();
  ASSERT_TRUE(inputs.ok());
  inputs->objective.saes[0].tap.layer = 0;  // the records were pooled at layer 1
  const auto probe = ProbeReference(*inputs, Live(*inputs), "float32");
  EXPECT_EQ(ExitCodeOf(probe.status()), ExitCode::kForeignCache);
  EXPECT_THAT(std::string(probe.status().message()), ::testing::HasSubstr("feature"));
}

TEST_F(StartChecksTest, AnSaeOfAnotherModelIsWarnedOf) {
  const auto inputs = Load();
  ASSERT_TRUE(inputs.ok());
  const std::vector<SaeCheck> checks = CheckSaes(*inputs, Live(*inputs));
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_GT(checks[0].l0, 0);
  // A random dictionary explains nothing.
  EXPECT_GT(checks[0].fvu, 0.1);
}

}  // namespace
}  // namespace fpo::train
