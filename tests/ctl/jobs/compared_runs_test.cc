#include "ctl/jobs/compared_runs.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"
#include "tests/ctl/sample_job.h"
#include "tests/support/temp_folder.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using ::testing::HasSubstr;
using Writer = grpc::ServerWriter<pb::ReadArtifactResponse>;

class ComparedRunsTest : public CommandRun {
 protected:
  ComparedRunsTest() {
    coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_SUCCEEDED));
    pb::MetricSeries loss;
    loss.set_name("loss");
    for (int step = 1; step <= 3; ++step) {
      loss.add_steps(step);
      loss.add_values(0.7 - 0.1 * step);
    }
    coordinator_.SetMetrics({loss});
  }
  // The job left two evaluations; `digest` of what is sent.
  void LeavePairs(const std::string& text, const std::string& digest) {
    coordinator_.SetArtifact([=](const pb::ReadArtifactRequest& request, Writer* writer) {
      pb::ReadArtifactResponse answer;
      if (request.file().empty()) {
        for (const char* name : {"evaluations/step-5.jsonl", "evaluations/step-40.jsonl",
                                 "evaluations/step-x.jsonl", "run.json"}) {
          answer.add_files()->set_name(name);
        }
      } else {
        EXPECT_EQ(request.file(), "evaluations/step-40.jsonl");
        answer.set_data(text);
        answer.set_sha256(digest);
      }
      writer->Write(answer);
      return absl::OkStatus();
    });
  }
  Result Compare() { return Run({"compare", "j-1001", "--html", page_}); }

  fpo::testing::TempFolder to_;
  const std::string page_ = to_ / "runs.html";
  const std::string pairs_ =
      "{\"logps/chosen\":1,\"logps/rejected\":0,\"tokens/chosen\":4,\"tokens/rejected\":2,"
      "\"divergence/chosen\":1,\"divergence/rejected\":2}\n";
};

TEST_F(ComparedRunsTest, WritesThePageBesideTheTable) {
  LeavePairs(pairs_, ToBytes(Sha256Of(pairs_)));
  const Result result = Compare();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("0.9130"));
  EXPECT_EQ(result.err, absl::StrCat("wrote ", page_, "\n"));
  const std::string html = fpo::testing::ReadWhole(page_);
  EXPECT_THAT(html, HasSubstr("0.6 (step 1)"));
  EXPECT_THAT(html, HasSubstr("Divergence margin against log-probability margin"));
}

TEST_F(ComparedRunsTest, PairsThatDoNotComeAreNamed) {
  LeavePairs(pairs_, ToBytes(Sha256Of("other")));
  const Result result = Compare();
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the held-out pairs of j-1001 are not on the page: what came "
                                    "of evaluations/step-40.jsonl is not what was sent"));
  EXPECT_THAT(fpo::testing::ReadWhole(page_), HasSubstr("its pairs could not be fetched"));
}

TEST_F(ComparedRunsTest, ErrorsLeaveNoPage) {
  const std::string nowhere = to_ / "none/runs.html";
  LeavePairs(pairs_, ToBytes(Sha256Of(pairs_)));
  const Result unwritable = Run({"compare", "j-1001", "--html", nowhere});
  EXPECT_NE(unwritable.code, 0);
  EXPECT_THAT(unwritable.err, HasSubstr(nowhere));
  std::vector<std::string> many = {"compare", "--html", page_};
  many.insert(many.end(), kPageJobsMax + 1, "j-1001");
  const Result result = Run(many);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("21 jobs are too many for one page; 20 are allowed"));
  EXPECT_FALSE(std::filesystem::exists(page_));
}

}  // namespace
}  // namespace fpo::ctl
