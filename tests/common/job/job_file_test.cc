#include "common/job/job_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/job/method_table.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

constexpr char kJob[] = R"(name: a-job
model: {path: /m}
sae: {path: /s.npz}
data: {train: [/d.jsonl], max_length: 128, max_prompt_length: 64}
output: /o
)";

TEST(JobFile, FillsInTheDefaults) {
  const auto config = ReadJobYaml(kJob, "job.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->reference.source, "cached");
  EXPECT_EQ(config->reference.path, "/m");
  EXPECT_EQ(config->optimizer.lr, 5e-7);
  EXPECT_EQ(config->schedule.warmup_steps, 150);
}

// Leaving a key out never earns a warning about it.
TEST(JobFile, AShortLengthLeavesHalfOfItToThePrompt) {
  const auto prompt_length = [](const char* length) {
    const auto config = ReadJobYaml("name: a\nmodel: {path: /m}\ndata: {train: [/d]}\n", "x",
                                    {"method.name=dpo", length});
    return config.ok() ? config->data.max_prompt_length : -1;
  };
  EXPECT_EQ(prompt_length("data.max_length=1024"), 512);
  EXPECT_EQ(prompt_length("data.max_length=600"), 512);
  EXPECT_EQ(prompt_length("data.max_length=512"), 256);
  EXPECT_EQ(prompt_length("data.max_length=2"), 1);
  EXPECT_FALSE(ReadJobYaml(kJob, "x", {"data.max_length=64"}).ok()) << "64 of a prompt are given";
}

TEST(JobFile, DefaultsFollowTheMethodAndTheLengthOfTheRun) {
  const std::string pairs = "name: a\nmodel: {path: /m}\ndata: {train: [/d], eval: [/e]}\n";
  for (const MethodInfo& method : Methods()) {
    const bool sae = MethodReads(method, "features");
    const auto config = ReadJobYaml(
        absl::StrCat(pairs, "method: {name: ", method.name, "}\n", sae ? "sae: {path: /s}\n" : ""),
        "job.yaml", {"max_steps=40"});
    ASSERT_TRUE(config.ok()) << config.status();
    if (method.beta > 0) {
      EXPECT_EQ(config->method.beta, method.beta) << method.name;
    }
    EXPECT_EQ(config->schedule.warmup_steps, 4);
    EXPECT_EQ(config->output, "runs/a");
    EXPECT_TRUE(JobWarnings(*config).empty()) << method.name;
  }
  EXPECT_EQ(ReadJobYaml(kJob, "x", {"method.beta=0.1", "max_steps=40", "schedule.warmup_steps=20"})
                ->method.beta,
            0.1);
  EXPECT_EQ(ReadJobYaml(kJob, "x", {"max_steps=9000"})->schedule.warmup_steps, 150);
  EXPECT_FALSE(ReadJobJson(R"({"name":"a","model":{"path":"/m"},"data":{"train":["/d"]},
      "method":{"name":"dpo"}})")
                   .ok())
      << "without a file there is no folder for the output";
}

TEST(JobFile, LoadsWithPathsFromTheFolderOfTheFile) {
  const std::string text =
      "name: a\nmodel: {path: m}\ndata: {train: [d.jsonl, ../e.jsonl]}\n"
      "method: {name: simpo}\n";
  const auto job = LoadJob({text, "job.yaml", "/jobs/x", {"data.eval=[t.jsonl]"}});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->config.model.path, "/jobs/x/m");
  EXPECT_EQ(job->config.data.train[1], "/jobs/e.jsonl");
  EXPECT_EQ(job->config.data.eval[0], "/jobs/x/t.jsonl");
  EXPECT_EQ(job->config.output, "/jobs/x/runs/a");
  ASSERT_EQ(job->missing.size(), 4u);
  EXPECT_EQ(
      ProblemLine(job->missing[0], "job.yaml").rfind("job.yaml:2: model.path: there is no", 0), 0u);
}

TEST(JobFile, UnknownVariablesComeWithTheOtherProblems) {
  const auto job =
      LoadJob({"name: a\nmodel: {path: $FPO_NOT_THERE/m}\nepochs: 0\n"
               "data: {train: [/d]}\nmethod: {name: sft}\n",
               "job.yaml",
               "/",
               {}});
  const std::string message(job.status().message());
  EXPECT_NE(message.find("job.yaml:2: model.path: $FPO_NOT_THERE/m: the variable FPO_NOT_THERE "),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("job.yaml:3: epochs"), std::string::npos) << message;
}

TEST(JobFile, StandardInputIsReadAsAFileHere) {
  std::istringstream text("name: a\nmodel: {path: m}\ndata: {train: [/d]}\nmethod: {name: sft}\n");
  std::streambuf* before = std::cin.rdbuf(text.rdbuf());
  const auto job = LoadJobFile("-", {});
  std::cin.rdbuf(before);
  std::cin.clear();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->config.model.path, (std::filesystem::current_path() / "m").string());
}

TEST(JobFile, PipesLieInTheCurrentFolder) {
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(JobFolder("-"), here);
  EXPECT_EQ(JobFolder("/dev/null"), here);
  const std::string pipe = ::testing::TempDir() + "/job_pipe";
  std::filesystem::remove(pipe);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(JobFolder(pipe), here);
  EXPECT_EQ(JobFolder("/jobs/x.yaml"), "/jobs");
  EXPECT_EQ(JobFolder("x.yaml"), here);
}

TEST(JobFile, SetOverridesBeforeChecking) {
  const auto config =
      ReadJobYaml(kJob, "job.yaml", {"method.name=simpo", "epochs=3", "labels.team=a"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->method.name, "simpo");
  EXPECT_EQ(config->reference.source, "none");
  EXPECT_EQ(config->epochs, 3);
  EXPECT_EQ(config->labels.size(), 1u);
  EXPECT_FALSE(ReadJobYaml(kJob, "job.yaml", {"epochs"}).ok());
  EXPECT_FALSE(ReadJobYaml(kJob, "job.yaml", {"nothing.here=1"}).ok());
}

TEST(JobFile, ReportsAllProblemsWithFileAndLine) {
  const auto config = ReadJobYaml("name: Bad Name\nmodel: {pth: /m}\nepochs: 0\n", "job.yaml");
  const std::string message(config.status().message());
  EXPECT_NE(message.find("job.yaml:1: name: "), std::string::npos) << message;
  EXPECT_NE(message.find("job.yaml:2: model.pth: "), std::string::npos) << message;
  EXPECT_NE(message.find("job.yaml:3: epochs: "), std::string::npos) << message;
  EXPECT_NE(message.find("data.train: is missing"), std::string::npos) << message;
}

TEST(JobFile, TheErrorNamesTheKeyOfTheFirstProblemForPrograms) {
  const auto config = ReadJobYaml(std::string(kJob) + "colour: red\nepochs: many\n", "job.yaml");
  EXPECT_EQ(GetErrorInfo(config.status()), ErrorInfo{.field = "colour"});
}

TEST(JobFile, ProblemsOfSetNameNoLineOfTheFile) {
  for (const char* set : {"epochs=0", "optimizer.betas=[5, x]", "data.train={a: 1}", "epochs=[1"}) {
    const std::string message(ReadJobYaml(kJob, "job.yaml", {set}).status().message());
    EXPECT_EQ(message.find("job.yaml:"), message.rfind("job.yaml:")) << message;
    EXPECT_EQ(message.rfind("job.yaml:1:", 0), std::string::npos) << message;
  }
}

TEST(JobFile, ProblemsOfARunNameItsFileAndLine) {
  JobNode fast;
  fast.kind = JobNode::Kind::kScalar;
  fast.line = 7;
  fast.text = "fast";
  JobNode method = fast;
  method.text = "tdpo1";
  const JobRun run{"quick", "runs.yaml", 6, {{"seed", fast}, {"method.name", method}}};
  const std::string text =
      "name: a\nmodel: {path: /m}\ndata: {train: [/d]}\nreference: {source: cached}\n";
  const std::string message(LoadJob({text, "job.yaml", "/", {}, {}, {}, &run}).status().message());
  EXPECT_NE(message.find("runs.yaml:7: seed: "), std::string::npos) << message;
  EXPECT_NE(message.find("job.yaml:4: reference.source: "), std::string::npos) << message;
  EXPECT_NE(message.find("(under the run \"quick\", runs.yaml:6)"), std::string::npos)
      << "the job file alone is right: " << message;
}

TEST(JobFile, RangesAreWrittenAsPeopleWriteThem) {
  const std::string message(
      ReadJobYaml(kJob, "job.yaml", {"method.beta=-1", "method.label_smoothing=1"})
          .status()
          .message());
  EXPECT_NE(message.find("from 0 to 1000000"), std::string::npos) << message;
  EXPECT_NE(message.find("from 0 to 0.499999"), std::string::npos) << message;
}

TEST(JobFile, RequiredLabelsArePairs) {
  EXPECT_TRUE(ReadJobYaml(kJob, "job.yaml", {"resources.require=[gpu=h100, zone=a]"}).ok());
  EXPECT_FALSE(ReadJobYaml(kJob, "job.yaml", {"resources.require=[gpu]"}).ok());
}

TEST(JobFile, JsonRoundTripsAndIsStrict) {
  const auto config = ReadJobYaml(kJob, "job.yaml", {"max_steps=7", "sae.layer=2", "labels.a=b"});
  ASSERT_TRUE(config.ok());
  const std::string json = WriteJobJson(*config);
  const auto again = ReadJobJson(json);
  ASSERT_TRUE(again.ok()) << again.status() << json;
  EXPECT_EQ(WriteJobJson(*again), json);
  EXPECT_EQ(again->max_steps, 7);
  EXPECT_FALSE(ReadJobJson(R"({"name":"a","unknown":1})").ok());
  EXPECT_EQ(WriteJobJson(*ReadJobYaml(WriteJobYaml(*config), "x")), json);
}

TEST(JobFile, FilesOfEitherFormAreRead) {
  const std::string path = ::testing::TempDir() + "/job_file_test";
  std::ofstream(path + ".json") << WriteJobJson(*ReadJobYaml(kJob, "x"));
  std::ofstream(path + ".yaml") << kJob;
  EXPECT_TRUE(ReadJobFile(path + ".json").ok());
  EXPECT_TRUE(ReadJobFile(path + ".yaml").ok());
  EXPECT_EQ(ReadJobFile(path + ".none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReadJobYaml(std::string(300 * 1024, '#'), "big").ok());
}

TEST(JobFile, SurvivesRandomDamage) {
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string text = kJob;
    for (int j = 0; j < 3; ++j) text[random() % text.size()] = static_cast<char>(random() % 128);
    (void)ReadJobYaml(text, "job.yaml");  // an error or a job, never a crash
    (void)ReadJobJson(text);
  }
}

}  // namespace
}  // namespace fpo
