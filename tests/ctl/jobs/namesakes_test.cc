// What a name means when several jobs have it.
#include "ctl/jobs/namesakes.h"

#include <string>

#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using ::testing::HasSubstr;
using ::testing::Not;

class NamesakesTest : public CommandRun {
 protected:
  // As the coordinator lists them, newest first.
  void Add(const std::string& id, pb::JobState state) {
    pb::Job job;
    job.set_job_id(id);
    job.set_name("long");
    job.set_state(state);
    coordinator_.AddJob(job);
  }
};

TEST_F(NamesakesTest, RetrySaysWhichJobANameStandsFor) {
  Add("j-3", pb::JOB_STATE_FAILED);
  EXPECT_THAT(Run({"retry", "long"}).err, Not(HasSubstr("note:")));
  Add("j-2", pb::JOB_STATE_CANCELLED);
  Add("j-1", pb::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(Run({"retry", "long"}).err,
              HasSubstr("note: long is the newest job of that name, j-3 (FAILED); others: j-2 "
                        "(CANCELLED), j-1 (SUCCEEDED). Name one by its id\n"));
  EXPECT_THAT(Run({"retry", "j-2"}).err, Not(HasSubstr("note:"))) << "an id is clear";
}

TEST_F(NamesakesTest, DownloadTakesTheNewestResult) {
  std::string asked;
  coordinator_.SetArtifact([&](const pb::ReadArtifactRequest& request, auto*) {
    asked = request.job_id();
    return absl::NotFoundError("no files");
  });
  Add("j-4", pb::JOB_STATE_FAILED);
  Run({"download", "long"});
  EXPECT_EQ(asked, "j-4") << "there is no other: its error is the answer";
  Add("j-3", pb::JOB_STATE_CANCELLED);
  Add("j-2", pb::JOB_STATE_SUCCEEDED);
  Add("j-1", pb::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(
      Run({"download", "long"}).err,
      HasSubstr("note: the newest job named long, j-4 (FAILED), has no result; this is that "
                "of j-2 (SUCCEEDED)\n"));
  EXPECT_EQ(asked, "j-2");
  Run({"download", "j-4"});
  EXPECT_EQ(asked, "j-4") << "an id is clear";
}

}  // namespace
}  // namespace fpo::ctl
