#include "train/reference/score_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "common/reference/record_file.h"
#include "common/reference/record_key.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

// Serves the commands that are in the pipe, then sees its end.
absl::Status Serve(const TinyRun& tiny, const JobConfig& job,
                   const std::vector<TrainCommand>& commands, RecordingSink* events) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  for (const TrainCommand& command : commands) {
    const std::string line = EncodeCommand(command) + "\n";
    EXPECT_EQ(write(ends[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  close(ends[1]);
  CommandReader reader(ends[0]);
  const absl::Status status = ServeScores(job, {tiny.Path("prepared"), at::kCPU}, reader, *events);
  close(ends[0]);
  return status;
}

TEST(ScoreServer, AnswersInTheOrderOfTheOrdinals) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("fpo");
  ASSERT_TRUE(PlanReference(job, tiny.Path("prepared"), at::kCPU).ok());
  RecordingSink events;
  const absl::Status status = Serve(
      tiny, job, {{"score", {5, 0, 9}, tiny.Path("a.fpr")}, {"score", {1}, tiny.Path("b.fpr")}},
      &events);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(events.Of(EventKind::kHello).size(), 1u);
  ASSERT_EQ(events.Of(EventKind::kRecords).size(), 2u);
  EXPECT_EQ(events.Of(EventKind::kRecords)[0].count, 3);
  EXPECT_GT(events.Of(EventKind::kRecords)[0].metrics.at("flops"), 0);
  EXPECT_EQ(events.Of(EventKind::kRecords)[0].file, tiny.Path("a.fpr"));
  const auto file = RecordFile::Open(tiny.Path("a.fpr"));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto keys = ReadKeysFile(tiny.Path("prepared/reference.keys"));
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ((*file)->At(0)->key, (*keys)[5]);
  EXPECT_EQ((*file)->At(1)->key, (*keys)[0]);
  EXPECT_EQ((*file)->At(2)->key, (*keys)[9]);
}

TEST(ScoreServer, HiddenFeaturesNeedNoSae) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.method.features = "hidden";
  job.sae = {SaeSection{"", 1, "resid_post"}};
  const absl::Status planned = PlanReference(job, tiny.Path("prepared"), at::kCPU).status();
  ASSERT_TRUE(planned.ok()) << planned;
  RecordingSink events;
  const absl::Status status = Serve(tiny, job, {{"score", {0}, tiny.Path("a.fpr")}}, &events);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(events.Of(EventKind::kRecords).at(0).count, 1);
}

TEST(ScoreServer, OrdinalOutsideTheListIsAnError) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("dpo");
  ASSERT_TRUE(PlanReference(job, tiny.Path("prepared"), at::kCPU).ok());
  RecordingSink events;
  const absl::Status status = Serve(tiny, job, {{"score", {9999}, tiny.Path("a.fpr")}}, &events);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
}

TEST(ScoreServer, ModelThatChangedSincePrepareIsRefused) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("dpo");
  ASSERT_TRUE(PlanReference(job, tiny.Path("prepared"), at::kCPU).ok());
  tiny.WriteModel("model", 77);
  RecordingSink events;
  EXPECT_EQ(ExitCodeOf(Serve(tiny, job, {}, &events)), ExitCode::kForeignCache);
}

}  // namespace
}  // namespace fpo::train
