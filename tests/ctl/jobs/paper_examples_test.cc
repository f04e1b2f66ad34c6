// The files of examples/paper: every run of every table is a valid job, and those of Gemma-2-2B and
// 9B have the paper's settings.
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ctl/jobs/sweep_plan.h"
#include "ctl/jobs/sweep_runs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Paper(const std::string& file) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  return absl::StrCat(root == nullptr ? "." : root, "/examples/paper/", file);
}

// Each variable is a folder of its name below /; there are no others.
std::optional<std::string> FolderOf(const std::string& name) {
  static const std::set<std::string> kKnown = {
      "FPO_PAPER_BASE", "FPO_PAPER_SAES",  "FPO_PAPER_DATA",     "FPO_PAPER_OUT",
      "FPO_PAPER_SFT",  "FPO_PAPER_JUDGE", "FPO_PAPER_VERDICTS", "FPO_PAPER_TEMPERATURE"};
  if (kKnown.count(name) == 0) return std::nullopt;
  return name == "FPO_PAPER_TEMPERATURE" ? "0-2" : "/" + name;
}

absl::StatusOr<LoadedJob> Load(const std::string& base, const JobChanges& changes = {}) {
  const auto text = ReadJobText(Paper(base));
  if (!text.ok()) return text.status();
  return LoadJob({*text, base, "/", changes.set, FolderOf, {}, changes.run});
}

// The jobs of a base file and a file of runs, by the runs' names.
std::map<std::string, JobConfig> Runs(const std::string& base, const std::string& runs) {
  std::map<std::string, JobConfig> jobs;
  const auto read = ReadSweepRuns(Paper(runs));
  EXPECT_TRUE(read.ok()) << read.status();
  if (!read.ok()) return jobs;
  for (const JobRun& run : *read) {
    const auto job = Load(base, {{}, &run});
    EXPECT_TRUE(job.ok()) << job.status();
    if (!job.ok()) continue;
    EXPECT_THAT(job->notes, IsEmpty()) << base << " " << run.name;
    jobs[run.name] = job->config;
  }
  return jobs;
}

void ExpectTrainingOfThePaper(const JobConfig& job, const std::string& size) {
  SCOPED_TRACE(absl::StrCat(size, " ", job.method.name));
  EXPECT_EQ(job.optimizer.name, size == "2b" ? "adam" : "rmsprop");
  EXPECT_EQ(job.optimizer.lr, 5e-7);
  EXPECT_EQ(job.schedule.name, "constant");
  EXPECT_EQ(job.schedule.warmup_steps, 150);
  EXPECT_EQ(job.batch.pairs, 32);
  EXPECT_EQ(job.epochs, 1);
  EXPECT_TRUE(job.activation_checkpointing);
  EXPECT_EQ(job.model.dtype, "bfloat16");
  EXPECT_EQ(job.data.max_length, 1024);
  EXPECT_EQ(job.resources.slots, 4);
}

TEST(PaperExamplesTest, SftIsThePapers) {
  for (const char* size : {"2b", "9b"}) {
    const auto sft = Load(absl::StrCat(size, "/sft.yaml"));
    ASSERT_TRUE(sft.ok()) << sft.status();
    ExpectTrainingOfThePaper(sft->config, size);
    EXPECT_EQ(sft->config.method.name, "sft");
    EXPECT_EQ(sft->config.data.template_name, "halo");
    EXPECT_EQ(sft->config.output, "/FPO_PAPER_OUT/sft");
    EXPECT_THAT(sft->notes, IsEmpty());
  }
}

TEST(PaperExamplesTest, TheMethodsAreThePapers) {
  for (const std::string size : {"2b", "9b"}) {
    const auto jobs = Runs(size + "/train.yaml", "table3.yaml");
    ASSERT_THAT(jobs, SizeIs(5));
    for (const auto& [name, job] : jobs) {
      ExpectTrainingOfThePaper(job, size);
      EXPECT_EQ(job.method.name, name);
      EXPECT_EQ(job.method.beta, name == "simpo" ? 2.0 : 0.1) << name;
      EXPECT_EQ(job.sae.empty(), name != "fpo") << name;
    }
    EXPECT_EQ(jobs.at("tdpo2").method.alpha, 0.5);
    EXPECT_EQ(jobs.at("simpo").method.gamma, 0.5);
    const JobConfig& fpo = jobs.at("fpo");
    EXPECT_EQ(fpo.method.alpha, 0.5);
    EXPECT_EQ(fpo.method.top_k, 50);
    EXPECT_TRUE(fpo.method.stop_gradient);
    EXPECT_THAT(
        fpo.sae.at(0).path,
        EndsWith(size == "2b"
                     ? "gemma-scope-2b-pt-res/layer_25/width_16k/average_l0_55/params.npz"
                     : "gemma-scope-9b-pt-res/layer_41/width_16k/average_l0_52/params.npz"));
  }
}

TEST(PaperExamplesTest, TheAblationsChangeOneThing) {
  for (const std::string size : {"2b", "tiny"}) {
    const std::string base = size + "/train.yaml";
    const JobConfig fpo = Load(base)->config;
    std::set<std::string> saes = {fpo.sae.at(0).path};
    for (const auto& [name, job] : Runs(base, size + "/table4-sites.yaml")) {
      saes.insert(job.sae.at(0).path);
      JobConfig same = job;
      same.sae = fpo.sae;
      EXPECT_EQ(WriteJobJson(same), WriteJobJson(fpo)) << name;
      const bool mlp = absl::StrContains(job.sae[0].path, "mlp");
      EXPECT_EQ(mlp, absl::EndsWith(name, "mlp")) << job.sae[0].path;
    }
    EXPECT_THAT(saes, SizeIs(8)) << "four layers, two sites";
    std::set<std::pair<double, bool>> alphas = {{0.5, true}};
    for (const auto& [name, job] : Runs(base, "table4-alpha.yaml")) {
      alphas.insert({job.method.alpha, job.method.stop_gradient});
      const std::string spelt = absl::StrCat("alpha-", static_cast<int>(job.method.alpha), "-",
                                             static_cast<int>(job.method.alpha * 10) % 10,
                                             job.method.stop_gradient ? "-stop" : "");
      EXPECT_EQ(name, spelt);
      JobConfig same = job;
      same.method.alpha = 0.5;
      same.method.stop_gradient = true;
      EXPECT_EQ(WriteJobJson(same), WriteJobJson(fpo)) << name;
    }
    EXPECT_THAT(alphas, SizeIs(8));
  }
}

TEST(PaperExamplesTest, WhatIsMeasuredOfTheModelsReadsTheirFolders) {
  const std::string out = "/FPO_PAPER_OUT/";
  for (const std::string size : {"2b", "tiny"}) {
    const auto kl = Runs(size + "/train.yaml", "figure3-kl.yaml");
    ASSERT_THAT(kl, SizeIs(5));
    for (const auto& [name, job] : kl) {
      EXPECT_EQ(job.kind, "evaluate");
      EXPECT_EQ(job.model.path, absl::StrCat(out, "paper-", name.substr(3), "/model"));
      EXPECT_EQ(job.reference.source, "online");
      EXPECT_EQ(job.reference.path, "/FPO_PAPER_SFT") << "not the model itself";
      EXPECT_EQ(job.method.name, "fpo") << "beta and D are the same for all";
    }
    for (const auto& [name, job] : Runs(size + "/train.yaml", "figure4-memory.yaml")) {
      EXPECT_EQ(job.reference.source, "online") << name;
      EXPECT_EQ(job.max_steps, 1000) << name;
    }
  }
  for (const char* base : {"alpaca.yaml", "arena.yaml", "temperatures.yaml"}) {
    const auto answers = Runs(base, "answers.yaml");
    ASSERT_THAT(answers, SizeIs(6)) << base;
    EXPECT_EQ(answers.at("sft").model.path, "/FPO_PAPER_SFT");
    EXPECT_EQ(answers.at("tdpo1").model.path, out + "paper-tdpo1/model");
  }
  const auto judged = Runs("judge.yaml", "table2.yaml");
  ASSERT_THAT(judged, SizeIs(10));
  EXPECT_EQ(judged.at("alpaca-dpo").judge.outputs, out + "alpaca-fpo/answers.json");
  EXPECT_EQ(judged.at("alpaca-dpo").judge.baseline, out + "alpaca-dpo/answers.json");
  EXPECT_EQ(judged.at("arena-sft").judge.baseline, out + "arena-sft/answers.jsonl");
  const auto sampled = Runs("judge.yaml", "figure4-temperatures.yaml");
  ASSERT_THAT(sampled, SizeIs(5));
  EXPECT_EQ(sampled.at("simpo").judge.baseline,
            out + "sampled-simpo-temperature-0-2/answers.jsonl");
}

TEST(PaperExamplesTest, OneReferenceJobServesAllMethods) {
  std::vector<JobRun> runs = ReadSweepRuns(Paper("table3.yaml")).value();
  const auto plan = PlanSweep({AxisOfRuns(std::move(runs))},
                              [](const JobChanges& c) -> absl::StatusOr<JobConfig> {
                                const auto job = Load("2b/train.yaml", c);
                                if (!job.ok()) return job.status();
                                return job->config;
                              });
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_THAT(plan->references, SizeIs(1));
  EXPECT_EQ(plan->references[0].method.name, "fpo");
  std::set<std::string> waiting;
  for (const SweepRun& run : plan->runs) {
    if (run.reference == 0) waiting.insert(run.config.name);
  }
  EXPECT_EQ(waiting, (std::set<std::string>{"paper-dpo", "paper-fpo"}));
  EXPECT_EQ(plan->runs[0].config.output, "/FPO_PAPER_OUT/paper-dpo");
}

TEST(PaperExamplesTest, TheTinySaesLieWhereTheRunsLookForThem) {
  std::set<std::string> made, read = {Load("tiny/train.yaml")->config.sae.at(0).path};
  for (const auto& [name, job] : Runs("tiny/sae.yaml", "tiny/saes.yaml")) {
    made.insert(absl::StrCat(job.output, "/sae-", name, "/params.npz"));
    EXPECT_EQ(name, absl::StrCat("layer-", *job.sae.at(0).layer, "-",
                                 job.sae[0].site == "mlp_out" ? "mlp" : "residual"));
  }
  for (const auto& [name, job] : Runs("tiny/train.yaml", "tiny/table4-sites.yaml")) {
    read.insert(job.sae.at(0).path);
  }
  EXPECT_EQ(made, read);
}

}  // namespace
}  // namespace fpo::ctl
