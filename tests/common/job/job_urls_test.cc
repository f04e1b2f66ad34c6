#include "common/job/job_urls.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "common/job/job_paths.h"

namespace fpo {
namespace {

JobConfig WithUrls() {
  JobConfig config;
  config.model.path = "s3://bucket/model";
  config.reference.path = "hf://google/gemma-3-270m@main";
  config.data.train = {"s3://bucket/data/*.jsonl", "/srv/train.jsonl"};
  config.output = "s3://bucket/runs/a";
  return config;
}

// The message of the only problem.
std::string ProblemOf(const JobConfig& config) {
  const auto problems = UrlProblems(config);
  EXPECT_EQ(problems.size(), 1u);
  return problems.empty() ? "" : problems.front().key + ": " + problems.front().message;
}

TEST(JobUrls, InputsAndOutputMayBeUrls) {
  EXPECT_TRUE(UrlProblems(WithUrls()).empty());
  EXPECT_TRUE(ReadsUrls(WithUrls()));
  JobConfig local;
  local.model.path = "/m";
  local.output = "s3://bucket/runs/a";
  EXPECT_FALSE(ReadsUrls(local));
}

TEST(JobUrls, WhatNoWorkerCouldDoIsRefused) {
  JobConfig config = WithUrls();
  config.output = "hf://org/name";
  EXPECT_TRUE(absl::StrContains(ProblemOf(config), "output: a URL of hf:// cannot be written"));
  config.output = "s3://bucket/sae/params.npz";
  EXPECT_TRUE(absl::StrContains(ProblemOf(config), "is a file; name a folder"));
  config = WithUrls();
  config.model.path = "https://me:hunter2@host/model";
  EXPECT_TRUE(absl::StrContains(ProblemOf(config), "model.path: a URL of https:// cannot be read"));
  EXPECT_FALSE(absl::StrContains(ProblemOf(config), "hunter2"));
  config.model.path = "s3://bucket";
  EXPECT_TRUE(absl::StrContains(ProblemOf(config), "is a whole bucket"));
  config.model.path = "s3://bucket/a*";
  EXPECT_TRUE(absl::StrContains(ProblemOf(config), "is a pattern"));
  config = WithUrls();
  config.kind = "judge";
  config.judge.key_file = "s3://bucket/key";
  EXPECT_TRUE(absl::StrContains(ProblemOf(config), "judge.key_file: must be a path"));
}

TEST(JobUrls, UrlsStayAsTheyAreAndAreNotMissingHere) {
  JobConfig config = WithUrls();
  config.data.train.pop_back();
  config.model.path = "s3://bucket/$NAME/model/";
  const auto variables = [](const std::string& name) {
    return name == "NAME" ? std::optional<std::string>("tiny") : std::nullopt;
  };
  const JobConfig given = config;
  EXPECT_TRUE(ResolveJobPaths({"", "", "/jobs", {}, variables}, &config).empty());
  EXPECT_EQ(config.model.path, "s3://bucket/tiny/model");
  EXPECT_EQ(config.output, "s3://bucket/runs/a");
  EXPECT_TRUE(MissingInputs(given, config).empty());
}

TEST(JobUrls, TheReadersReportThem) {
  const auto job = ReadJobJson(
      R"({"name": "a", "model": {"path": "s3://B/x"}, "data": {"train": ["s3://bucket/d"]}})");
  ASSERT_FALSE(job.ok());
  EXPECT_TRUE(absl::StrContains(job.status().message(), "model.path: the URL names no bucket"))
      << job.status();
  const auto loaded =
      LoadJob({"name: a\nmodel: {path: \"ftp://x/y\"}\ndata: {train: s3://bucket/d}\n", "job.yaml",
               "/jobs"});
  ASSERT_FALSE(loaded.ok());
  EXPECT_TRUE(absl::StrContains(loaded.status().message(), "job.yaml:2: model.path: a URL of ftp"))
      << loaded.status();
}

}  // namespace
}  // namespace fpo
