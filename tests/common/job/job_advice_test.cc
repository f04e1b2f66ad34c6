#include "common/job/job_advice.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

JobConfig Training(const std::string& method, double beta) {
  JobConfig config;
  config.method.name = method;
  config.method.beta = beta;
  config.data.eval = {"/e"};
  return config;
}

std::vector<std::string> Notes(const std::string& more) {
  const auto job = LoadJob({absl::StrCat("name: a\nmodel: {path: /m}\ndata: {train: [/d]}\n", more),
                            "job.yaml",
                            "/",
                            {}});
  EXPECT_TRUE(job.ok()) << job.status();
  return job.ok() ? job->notes : std::vector<std::string>();
}

TEST(JobAdvice, TurnsAreChosenForEveryMethod) {
  const auto notes = [](const std::string& method) {
    return LoadJob({absl::StrCat(
                        "name: a\nmodel: {path: /m}\n",
                        "data: {train: [/d], train_on: last_turn}\nmethod: {name: ", method, "}\n"),
                    "job.yaml",
                    "/",
                    {}})
        ->notes;
  };
  EXPECT_THAT(notes("dpo"), IsEmpty());
  EXPECT_THAT(notes("sft"), IsEmpty());
}

TEST(JobAdvice, WarnsOfBetaFarFromWhatTheMethodWants) {
  for (const char* method : {"ln_dpo", "simpo", "simpo_kl", "fpo"}) {
    EXPECT_THAT(JobWarnings(Training(method, 0.5)), ElementsAre(HasSubstr("2 to 10 is usual")));
    for (const double beta : {1.0, 2.0, 5.0, 10.0}) {
      EXPECT_THAT(JobWarnings(Training(method, beta)), IsEmpty()) << method << " " << beta;
    }
  }
  for (const char* method : {"dpo", "tdpo1", "tdpo2"}) {
    EXPECT_THAT(JobWarnings(Training(method, 5)), ElementsAre(HasSubstr("0.01 to 0.5 is usual")));
    for (const double beta : {0.01, 0.1, 0.5}) {
      EXPECT_THAT(JobWarnings(Training(method, beta)), IsEmpty()) << method << " " << beta;
    }
  }
  EXPECT_THAT(JobWarnings(Training("fpo", 0.1))[0], HasSubstr("the FPO paper's value 0.1"));
  EXPECT_THAT(JobWarnings(Training("sft", 7)), IsEmpty());
}

TEST(JobAdvice, WarnsOfAWarmUpThatOutlastsTheRun) {
  JobConfig config = Training("fpo", 2);
  config.max_steps = 10;
  config.schedule.warmup_steps = 20;
  EXPECT_THAT(JobWarnings(config), ElementsAre(HasSubstr("warmup_steps: 20")));
  EXPECT_THAT(JobWarnings(config, 5), ElementsAre(HasSubstr("the last step (5)")));
  config.schedule.warmup_steps = 10;  // the last step has the full rate
  EXPECT_THAT(JobWarnings(config), IsEmpty());
  config.max_steps.reset();
  EXPECT_THAT(JobWarnings(config), IsEmpty()) << "the number of steps is unknown";
}

TEST(JobAdvice, WarnsOfNoHeldOutData) {
  JobConfig config = Training("dpo", 0.1);
  config.data.eval.clear();
  EXPECT_THAT(JobWarnings(config), ElementsAre(HasSubstr("data.eval is empty")));
  config.kind = "reference";
  EXPECT_THAT(JobWarnings(config), IsEmpty());
}

TEST(JobAdvice, NamesKeysThatTheMethodDoesNotUse) {
  EXPECT_THAT(Notes("method: {name: simpo, top_k: 20, alpha: 0.5}\n"),
              ElementsAre(HasSubstr("method.top_k is set, and method simpo does not use it; it "
                                    "belongs to fpo"),
                          HasSubstr("it belongs to simpo_kl, tdpo2, fpo")));
  EXPECT_THAT(Notes("method: {name: dpo, gamma: 1}\nsae: {path: /s}\n"),
              ElementsAre(HasSubstr("method.gamma"), HasSubstr("sae is set")));
  const auto reported =
      LoadJob({"name: a\nmodel: {path: /m}\ndata: {train: [/d], eval: [/e]}\n"
               "method: {name: dpo}\nsae: {path: /s}\n",
               "job.yaml",
               "/",
               {}});
  ASSERT_TRUE(reported.ok()) << reported.status();
  EXPECT_THAT(reported->notes, IsEmpty()) << "its feature report reads the SAE";
  EXPECT_THAT(Notes("method: {name: dpo}\nsae: {path: /s}\nfeatures: {pairs: 4}\n"),
              ElementsAre(HasSubstr("sae is set"), HasSubstr("there will be no feature report")));
  EXPECT_THAT(Notes("method: {name: dpo}\nfeatures: {top: 0}\n"), IsEmpty());
  EXPECT_THAT(Notes("method: {name: sft, beta: 1}\nreference: {path: /r}\n"),
              ElementsAre(HasSubstr("method.beta"), HasSubstr("reference.path")));
  EXPECT_THAT(Notes("method: {name: dpo}\noptimizer: {name: rmsprop, betas: [0.9, 0.99]}\n"),
              ElementsAre(HasSubstr("optimizer.betas")));
  EXPECT_THAT(Notes("kind: sae\nsae: {layer: 1, site: resid_post}\nmethod: {beta: 1}\n"),
              ElementsAre(HasSubstr("method is set, and kind sae does not use it")));
  EXPECT_THAT(Notes("method: {name: fpo, top_k: 20, alpha: 1, beta: 5}\nsae: {path: /s}\n"),
              IsEmpty());
}

std::string Root() {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  return root == nullptr ? "." : root;
}

std::string Slurp(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// What we show and what we warn of must be one.
TEST(JobAdvice, TheExamplesEarnNoWarning) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Root() + "/examples")) {
    if (entry.path().extension() != ".yaml") continue;
    // The paper's settings are its own (beta 0.1); tests/ctl/jobs/paper_examples_test.cc reads
    // them.
    if (absl::StrContains(entry.path().string(), "/examples/paper/")) continue;
    const auto job = LoadJob({Slurp(entry.path()), entry.path(), Root() + "/examples", {}});
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_THAT(job->notes, IsEmpty()) << entry.path();
    for (const std::string& warning : JobWarnings(job->config)) {
      EXPECT_THAT(warning, HasSubstr("data.eval is empty")) << entry.path();
    }
    ++count;
  }
  EXPECT_GE(count, 7);
}

TEST(JobAdvice, TheDocumentationSweepsOverValuesThatEarnNoWarning) {
  static const std::regex kSweep("method\\.beta=([0-9][0-9.,]*)");
  int count = 0;
  for (const char* file : {"/README.md", "/docs/cli.md", "/ctl/command_line/command_table.cc"}) {
    const std::string text = Slurp(Root() + file);
    for (std::sregex_iterator it(text.begin(), text.end(), kSweep), end; it != end; ++it) {
      for (const absl::string_view value : absl::StrSplit((*it)[1].str(), ',', absl::SkipEmpty())) {
        double beta = 0;
        ASSERT_TRUE(absl::SimpleAtod(value, &beta)) << it->str();
        EXPECT_THAT(JobWarnings(Training("fpo", beta)), IsEmpty()) << file << ": " << it->str();
        ++count;
      }
    }
  }
  EXPECT_GE(count, 6);
}

TEST(JobAdvice, SaysNothingOfAJobFileThatARunWrote) {
  const auto config = ReadJobYaml(
      "name: a\nmodel: {path: /m}\ndata: {train: [/d]}\nmethod: {name: simpo}\n", "job.yaml");
  EXPECT_THAT(LoadJob({WriteJobYaml(*config), "job.yaml", "/", {}})->notes, IsEmpty());
}

}  // namespace
}  // namespace fpo
