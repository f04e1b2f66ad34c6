// fpoctl features against a coordinator that has reports, other files, or none.
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "common/hash.h"
#include "gmock/gmock.h"
#include "tests/common/features/sample_report.h"
#include "tests/ctl/command_run.h"
#include "tests/support/temp_folder.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using fpo::testing::ReadWhole;
using fpo::testing::TempFolder;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

class FeaturesTest : public CommandRun {
 protected:
  FeaturesTest() {
    for (const char* name : {"one", "two"}) {
      pb::Job job;
      job.set_job_id(std::string("j-") + name);
      job.set_name(name);
      job.set_state(pb::JOB_STATE_SUCCEEDED);
      coordinator_.AddJob(job);
      FeatureReport report = SampleReport();
      report.job = name;
      files_[job.job_id()]["features.json"] = FeatureReportJson(report);
      files_[job.job_id()]["run.json"] = "{}";
    }
    coordinator_.SetArtifact([this](const pb::ReadArtifactRequest& request,
                                    grpc::ServerWriter<pb::ReadArtifactResponse>* writer) {
      return Answer(request, writer);
    });
  }

  absl::Status Answer(const pb::ReadArtifactRequest& request,
                      grpc::ServerWriter<pb::ReadArtifactResponse>* writer) {
    pb::ReadArtifactResponse answer;
    for (const auto& [name, text] : files_[request.job_id()]) {
      if (request.file().empty()) {
        pb::ArtifactFile* file = answer.add_files();
        file->set_name(name);
        file->set_bytes(static_cast<int64_t>(text.size()));
      } else if (request.file() == name) {
        answer.set_data(text);
        answer.set_sha256(ToBytes(Sha256Of(text)));
      }
    }
    writer->Write(answer);
    return absl::OkStatus();
  }
  void Change(const std::string& job, const std::function<void(FeatureReport*)>& change) {
    auto report = ParseFeatureReport(files_[job]["features.json"]);
    change(&*report);
    files_[job]["features.json"] = FeatureReportJson(*report);
  }

  TempFolder to_;
  std::map<std::string, std::map<std::string, std::string>> files_;
};

TEST_F(FeaturesTest, PrintsTheTablesOfAJob) {
  const Result result = Run({"features", "one"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("moved most on chosen\nFEATURE  LABEL       BEFORE"));
  EXPECT_THAT(result.err, HasSubstr("note: one: only the first 4 of 8 pairs\n"));
  EXPECT_EQ(Run({"features", "one", "--json"}).out, files_["j-one"]["features.json"]);
}

TEST_F(FeaturesTest, SeveralSideBySideWithTheirDoubts) {
  Change("j-two", [](FeatureReport* report) { report->pairs = 2; });
  const Result result = Run({"features", "one", "two"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("ONE BEFORE  AFTER  CHANGE  TWO BEFORE"));
  EXPECT_THAT(result.err, HasSubstr("note: two was measured on other pairs than one"));
  const Result same = Run({"features", "one", "one"});
  EXPECT_THAT(same.out, HasSubstr("ONE (ONE) BEFORE"));
}

TEST_F(FeaturesTest, RefusesFeaturesOfDifferentSaes) {
  Change("j-two", [](FeatureReport* report) { report->saes[0].digest = "ee55"; });
  const Result result = Run({"features", "one", "two"});
  EXPECT_NE(result.code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("their features are not the same things"));
}

TEST_F(FeaturesTest, AJobWithoutAReportSaysWhyThatIs) {
  files_["j-one"].erase("features.json");
  const Result result = Run({"features", "one"});
  EXPECT_EQ(result.code, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("job j-one has no features.json: a run makes it"));
}

TEST_F(FeaturesTest, WhatIsNoReportIsRefused) {
  files_["j-one"]["features.json"] = "{}";
  const Result result = Run({"features", "one"});
  EXPECT_NE(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("it is not a features.json"));
}

TEST_F(FeaturesTest, WritesAPage) {
  const std::string page = to_ / "features.html";
  const Result result = Run({"features", "one", "two", "--html", page});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "wrote " + page + "\n");
  EXPECT_THAT(ReadWhole(page), HasSubstr("<section class=\"features\">"));
  EXPECT_EQ(Run({"features", "one", "-q", "--html", page}).out, page + "\n");
}

TEST_F(FeaturesTest, ReadsFilesOfThisMachineWithoutAService) {
  WriteWhole(to_ / "features.json", files_["j-one"]["features.json"]);
  environment_.server = "127.0.0.1:1";
  const Result result = Run({"features", "--file", to_ / "features.json"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("apologises"));
  EXPECT_NE(Run({"features", "--file", to_ / "nowhere.json"}).code, 0);
  EXPECT_EQ(Run({"features"}).code, 2);
}

TEST_F(FeaturesTest, LeavesNothingInTheTemporaryFolder) {
  setenv("TMPDIR", to_.path().c_str(), 1);
  EXPECT_EQ(Run({"features", "one"}).code, 0);
  unsetenv("TMPDIR");
  EXPECT_TRUE(std::filesystem::is_empty(to_.path()));
}

}  // namespace
}  // namespace fpo::ctl
