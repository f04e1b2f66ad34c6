// Programs of this version and of the one before work with each other, and a service moves from one
// to the other below a running job. scripts/upgrade_check.sh builds the earlier programs.

#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class VersionsTest : public ::testing::TestWithParam<std::vector<std::string>> {
 protected:
  void SetUp() override {
    old_ = Environment("FPO_OLD_BIN_DIR");
    if (old_.empty()) {
      GTEST_SKIP() << "FPO_OLD_BIN_DIR is not set: the folder of an earlier version's programs, "
                      "which scripts/upgrade_check.sh builds";
    }
    const std::string tiny = Environment("FPO_SOURCE_DIR") + "/examples/tiny";
    const Outcome made = RunProgram(
        {tiny + "/prepare.sh", service_.Path("tiny"), Environment("FPO_BIN_DIR") + "/fpo-train"});
    ASSERT_EQ(made.code, 0) << made.err;
  }

  std::string Ok(const std::vector<std::string>& words) {
    const Outcome outcome = service_.Ctl(words);
    EXPECT_EQ(outcome.code, 0) << words[0] << ": " << outcome.out << outcome.err;
    return outcome.out;
  }

  // Submits examples/tiny/FILE.yaml as NAME for a few steps of the random model.
  void Submit(const std::string& file, const std::string& name, const std::vector<std::string>& set,
              const std::vector<std::string>& more) {
    std::vector<std::string> words = {"submit", service_.Path("tiny/" + file + ".yaml")};
    std::vector<std::string> settings = {"name=" + name, "model.path=" + service_.Path("tiny/base"),
                                         "output=" + service_.Path("tiny/runs/" + name)};
    settings.insert(settings.end(), set.begin(), set.end());
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    words.insert(words.end(), more.begin(), more.end());
    Ok(words);
  }
  void SubmitPairs(const std::string& file, const std::string& name, int steps,
                   const std::vector<std::string>& more) {
    Submit(file, name,
           {"batch.pairs=8", "data.max_pairs=240", "evaluate.pairs=16", "evaluate.every_steps=1000",
            "checkpoint.every_steps=5", absl::StrCat("max_steps=", steps)},
           more);
  }
  std::string State(const std::string& job) { return service_.Describe(job).value("state", ""); }
  int64_t RecordsComputed(const std::string& job) {
    return Number(service_.Describe(job)["progress"]["cache"], "records_computed");
  }

  LocalService service_;
  std::string old_;
};

// The parameter: which programs are old.
TEST_P(VersionsTest, WorkTogether) {
  for (const std::string& program : GetParam()) service_.TakeFrom(program, old_);
  service_.StartAll();
  Submit("sae", "sae", {"sae_training.steps=40"}, {"--wait"});
  const std::string sae = "sae.path=" + service_.Path("tiny/runs/sae");
  SubmitPairs("fpo", "first", 6, {"--set", sae, "--wait"});
  EXPECT_GT(RecordsComputed("first"), 0);
  SubmitPairs("dpo", "second", 6, {"--wait"});
  EXPECT_EQ(RecordsComputed("second"), 0) << "the cache has every record";

  EXPECT_THAT(Ok({"list"}), HasSubstr("second"));
  EXPECT_THAT(Ok({"logs", "first"}), HasSubstr("step 6"));
  const json series = json::parse(Ok({"metrics", "first", "--json"}))["series"];
  ASSERT_FALSE(series.empty());
  EXPECT_EQ(series[0]["steps"].size(), 6u);
  EXPECT_THAT(Ok({"ckpt", "list", "first", "-q"}), HasSubstr("checkpoints/step-5"));
  EXPECT_THAT(Ok({"workers", "list"}), HasSubstr("w1"));
  EXPECT_THAT(Ok({"cache", "ls"}), HasSubstr("first"));
  EXPECT_THAT(Ok({"cache", "verify"}), ::testing::Not(HasSubstr("bad record")));
  Ok({"download", "first", "--to", service_.Path("fetched")});
  EXPECT_TRUE(std::filesystem::exists(service_.Path("fetched")));

  SubmitPairs("dpo", "third", 6, {"--hold"});
  EXPECT_EQ(State("third"), "HELD");
  Ok({"explain", "third"});
  Ok({"release", "third"});
  Ok({"wait", "third"});
  EXPECT_EQ(State("third"), "SUCCEEDED");
  SubmitPairs("dpo", "fourth", 6, {"--hold"});
  Ok({"cancel", "fourth"});
  EXPECT_EQ(State("fourth"), "CANCELLED");
}

std::string Joined(const ::testing::TestParamInfo<std::vector<std::string>>& mix) {
  std::string name = "Old";
  for (const std::string& program : mix.param) absl::StrAppend(&name, "_", program);
  return name;
}

INSTANTIATE_TEST_SUITE_P(Mixes, VersionsTest,
                         ::testing::Values(std::vector<std::string>{"fpoctl"},
                                           std::vector<std::string>{"worker"},
                                           std::vector<std::string>{"worker", "cache", "fpoctl"},
                                           std::vector<std::string>{"coordinator", "cache"},
                                           std::vector<std::string>{"coordinator", "worker"}),
                         Joined);

using RollingTest = VersionsTest;

// docs/deploy.md's order with a job that trains all the while: stores first, then each worker.
TEST_F(RollingTest, AJobTrainsThroughAnUpgrade) {
  const std::vector<std::string> all = {"coordinator", "cache", "worker"};
  for (const std::string& program : all) service_.TakeFrom(program, old_);
  service_.StartAll();
  SubmitPairs("dpo", "rolled", 60, {"-q"});
  const auto past = [](int step) {
    return [step](const json& job) {
      return Number(job.value("progress", json::object()), "step") >= step;
    };
  };
  ASSERT_TRUE(service_.Until("rolled", past(6)).has_value());
  for (const std::string& program : all) {
    service_.Signal(program, SIGTERM);
    EXPECT_EQ(service_.Wait(program), 0) << program;
    service_.TakeFrom(program, "");
    service_.Start(program);
  }
  Ok({"wait", "rolled"});
  const json job = service_.Describe("rolled");
  EXPECT_EQ(job.value("state", ""), "SUCCEEDED") << job.dump(1);
  EXPECT_EQ(Number(job, "restarts_used"), 0);

  SubmitPairs("dpo", "undisturbed", 60, {"--wait"});
  const auto weights = [this](const std::string& run) {
    return ReadFile(service_.Path("tiny/runs/" + run + "/model/model.safetensors"));
  };
  ASSERT_FALSE(weights("rolled").empty());
  EXPECT_TRUE(weights("rolled") == weights("undisturbed")) << "the upgrade changed what it learned";
}

}  // namespace
}  // namespace fpo::testing
