// fpoctl sweep and cache build: what they send.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SweepTest : public CommandRun {
 protected:
  json Config(size_t i) { return json::parse(coordinator_.submits().at(i).spec().config_json()); }
  static std::vector<std::string> Strings(
      const google::protobuf::RepeatedPtrField<std::string>& field) {
    return {field.begin(), field.end()};
  }
};

TEST_F(SweepTest, SendsTheReferenceJobAndThenTheRuns) {
  const Result result = Run({"sweep", WriteJob(), "--grid", "method.beta=1,2,3", "--max-parallel",
                             "2", "--set", "seed=7"});
  EXPECT_EQ(result.code, 0) << result.err;
  ASSERT_EQ(coordinator_.submits().size(), 4u);
  EXPECT_EQ(Config(0)["kind"], "reference");
  EXPECT_EQ(Config(2)["name"], "tiny-fpo-beta-2");
  EXPECT_EQ(Config(2)["method"]["beta"], 2.0);
  EXPECT_EQ(Config(2)["seed"], 7);
  EXPECT_EQ(Config(2)["output"], folder_ + "/runs/fpo/tiny-fpo-beta-2");
  const std::vector<pb::SubmitRequest> sent = coordinator_.submits();
  EXPECT_EQ(Strings(sent[0].after_ok()), std::vector<std::string>{});
  for (size_t i = 1; i < 4; ++i) EXPECT_THAT(Strings(sent[i].after_ok()), ElementsAre("j-1001"));
  EXPECT_EQ(sent[2].after_end_size(), 0);
  EXPECT_THAT(Strings(sent[3].after_end()), ElementsAre("j-1002")) << "two at a time";
  EXPECT_THAT(result.out, HasSubstr("1 reference job, 3 runs"));
  EXPECT_THAT(result.out, HasSubstr("j-1003  tiny-fpo-beta-2"));
  EXPECT_THAT(result.out, HasSubstr("fpoctl compare j-1002 j-1003 j-1004\n"));
  const std::string label = Config(0)["labels"]["sweep"];
  EXPECT_EQ(Config(3)["labels"]["sweep"], label);
  EXPECT_THAT(result.out, HasSubstr("fpoctl list --label sweep=" + label));
}

TEST_F(SweepTest, OneReadOfStandardInputServesAllRuns) {
  std::istringstream text(kJobText);
  std::streambuf* before = std::cin.rdbuf(text.rdbuf());
  const Result result = Run({"sweep", "-", "--grid", "method.beta=2,5", "--dry-run"});
  std::cin.rdbuf(before);
  std::cin.clear();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("tiny-fpo-beta-5"));
  const std::string warning = "standard input:3: model.path: there is no folder";
  EXPECT_THAT(result.err, HasSubstr(warning));
  EXPECT_EQ(result.err.find(warning), result.err.rfind(warning)) << "once for both runs";
}

TEST_F(SweepTest, ARepetitionStoresNothingTwice) {
  const std::vector<std::string> words = {"sweep",        WriteJob(), "--grid", "method.beta=1,2",
                                          "--request-id", "r-7",      "-q"};
  const Result first = Run(words);
  EXPECT_EQ(Run(words).out, first.out);
  EXPECT_EQ(coordinator_.jobs_stored(), 3);
  EXPECT_EQ(first.out, "j-1001\nj-1002\nj-1003\n");
}

TEST_F(SweepTest, ASweepThatIsCutShortSaysHowToGoOn) {
  coordinator_.FailNext("Submit", absl::OkStatus());
  coordinator_.FailNext("Submit", absl::ResourceExhaustedError("20 jobs; the limit is 20"));
  const Result result = Run({"sweep", WriteJob(), "--grid", "method.beta=1,2"});
  EXPECT_EQ(result.code, 8) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the limit is 20"));
  EXPECT_THAT(result.err, HasSubstr("--request-id"));
}

TEST_F(SweepTest, RunsOfAFileAreSentInItsOrder) {
  const std::string job = WriteJob(), runs = folder_ + "/runs.yaml";
  std::ofstream(runs) << "simpo: {method.name: simpo, method.gamma: 1}\nas-it-is:\n";
  const Result result = Run({"sweep", job, "--runs", runs, "--set", "seed=7"});
  EXPECT_EQ(result.code, 0) << result.err;
  ASSERT_EQ(coordinator_.submits().size(), 2u);
  EXPECT_EQ(Config(0)["name"], "tiny-fpo-simpo");
  EXPECT_EQ(Config(0)["method"]["gamma"], 1.0);
  EXPECT_EQ(Config(0)["seed"], 7);
  EXPECT_EQ(Config(1)["name"], "tiny-fpo-as-it-is");
  EXPECT_EQ(Config(1)["method"]["name"], "fpo");
  EXPECT_THAT(result.out, HasSubstr("NAME               run\n"));
}

TEST_F(SweepTest, WrongRunsAreNamedByTheirOwnFileAndSendNothing) {
  const std::string job = WriteJob(), runs = folder_ + "/runs.yaml";
  std::ofstream(runs) << "dpo: {method.name: dpo}\nfast:\n  method.betta: 1\n  seed: soon\n";
  const Result result = Run({"sweep", job, "--runs", runs});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr(runs + ":3: method.betta: unknown key; did you mean"));
  EXPECT_THAT(result.err, HasSubstr(runs + ":4: seed: "));
  std::ofstream(runs) << "dpo: {method.name: dpo}\nnone: {method.beta: 3}\n";
  EXPECT_EQ(Run({"sweep", job, "--runs", runs, "--set", "method.beta=1"}).code, 2);
  EXPECT_EQ(Run({"sweep", job, "--runs", runs, "--grid", "method=1,2"}).code, 2);
  EXPECT_EQ(Run({"sweep", job, "--runs", folder_ + "/none.yaml"}).code, 4);
  EXPECT_EQ(coordinator_.submits().size(), 0u);
}

TEST_F(SweepTest, WrongGridsAndDryRunsSendNothing) {
  EXPECT_EQ(Run({"sweep", WriteJob()}).code, 2);
  EXPECT_EQ(Run({"sweep", WriteJob(), "--grid", "beta"}).code, 2);
  EXPECT_EQ(Run({"sweep", WriteJob(), "--grid", "method.beta=1,fast"}).code, 3);
  const Result dry = Run({"sweep", WriteJob(), "--grid", "method.beta=1,2", "--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("-    tiny-fpo-beta-2"));
  EXPECT_EQ(coordinator_.submits().size(), 0u);
}

TEST_F(SweepTest, CacheBuildSendsAReferenceJob) {
  const Result result = Run({"cache", "build", WriteJob()});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(Config(0)["kind"], "reference");
  EXPECT_EQ(Config(0)["name"], "tiny-fpo-reference");
  EXPECT_EQ(Config(0)["output"], folder_ + "/runs/fpo-reference");
  EXPECT_EQ(Run({"cache", "build", WriteJob(), "--request-id", "r-9", "-q"}).out,
            Run({"cache", "build", WriteJob(), "--request-id", "r-9", "-q"}).out);
  const Result nothing = Run({"cache", "build", WriteJob(), "--set", "method.name=simpo"});
  EXPECT_EQ(nothing.code, 7) << nothing.err;
  EXPECT_THAT(nothing.err, HasSubstr("reference.source is none"));
}

}  // namespace
}  // namespace fpo::ctl
