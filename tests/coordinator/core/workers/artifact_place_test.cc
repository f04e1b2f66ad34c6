#include "coordinator/core/workers/artifact_place.h"

#include "common/error_info.h"
#include "common/job/job_file.h"
#include "coordinator/core/jobs/live_outputs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArtifactPlaceTest : public ::testing::Test {
 protected:
  ArtifactPlaceTest() : job_(RunningJob("j-1", {"w1", "w2"})) {
    job_.demand.output = OutputFolderOf(ReadJobJson(ConfigJson("tiny")).value());
    job_.attempts[0].members[0].first_rank = 1;  // w1 has the second rank
  }
  void Connect(const std::string& worker) {
    workers_.Connect(HelloOf(worker), std::make_shared<FakeLink>(), {kStart, kStart});
  }
  void Succeed() { job_.state = JobState::kSucceeded; }

  Job job_;
  WorkerRegistry workers_;
};

TEST_F(ArtifactPlaceTest, TheResultLiesOnTheHostOfRankZero) {
  Connect("w1");
  Connect("w2");
  Succeed();
  const ArtifactPlace place = PlaceOf(job_, 0, workers_).value();
  EXPECT_EQ(place.worker, "w2");
  EXPECT_EQ(place.folder, "/runs/tiny");
  EXPECT_FALSE(place.checkpoint);
  EXPECT_THAT(ConnectedHolders(job_, workers_), ElementsAre("w2", "w1"));
}

TEST_F(ArtifactPlaceTest, OnlyAJobThatSucceededHasAResultButCheckpointsAreThereBefore) {
  Connect("w1");
  const absl::Status none = PlaceOf(job_, 0, workers_).status();
  EXPECT_EQ(ReasonOf(none), ErrorReason::kNoResult);
  EXPECT_EQ(GetErrorInfo(none)->hint, "fpoctl wait j-1");
  Checkpoint checkpoint;
  checkpoint.step = 40;
  checkpoint.folder = "/runs/tiny/checkpoints/step-40";
  job_.checkpoints.push_back(checkpoint);
  EXPECT_THAT(GetErrorInfo(PlaceOf(job_, 0, workers_).status())->hint, HasSubstr("--latest"));
  const ArtifactPlace place = PlaceOf(job_, 40, workers_).value();
  EXPECT_EQ(place.folder, checkpoint.folder);
  EXPECT_TRUE(place.checkpoint);
  EXPECT_EQ(ReasonOf(PlaceOf(job_, 41, workers_).status()), ErrorReason::kNoCheckpoint);
}

TEST_F(ArtifactPlaceTest, WithoutItsHostTheErrorNamesIt) {
  Succeed();
  const absl::Status gone = PlaceOf(job_, 0, workers_).status();
  EXPECT_EQ(ReasonOf(gone), ErrorReason::kNoHolder);
  EXPECT_EQ(gone.message(), "the files of job j-1 are on w1, w2, not connected now");
  Job fresh = MakeJob("j-2");
  EXPECT_TRUE(ConnectedHolders(fresh, workers_).empty());
}

TEST_F(ArtifactPlaceTest, AJobWithoutAnOutputFolderHasNoFiles) {
  Connect("w1");
  Succeed();
  job_.demand.output.clear();
  EXPECT_EQ(ReasonOf(PlaceOf(job_, 0, workers_).status()), ErrorReason::kNoResult);
}

}  // namespace
}  // namespace fpo::coordinator
