#include "ctl/show/job_display.h"

#include <algorithm>
#include <sstream>

#include "absl/strings/match.h"
#include "common/wire/wire_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

using ::testing::HasSubstr;
using ::testing::StartsWith;

const absl::Time kNow = absl::FromUnixSeconds(kSampleStart + 20);

pb::Job Progressed(int64_t done, absl::Time updated) {
  pb::Job job = SampleJob();
  job.mutable_progress()->set_done(done);
  SetTime(updated, job.mutable_progress()->mutable_updated());
  return job;
}

size_t Lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

class BlockDisplayTest : public ::testing::Test {
 protected:
  std::string Taken() {
    const std::string text = out_.str();
    out_.str("");
    return text;
  }
  std::ostringstream out_;
  BlockDisplay display_{out_, {80, true, false, absl::UTCTimeZone()}, absl::Milliseconds(250)};
};

TEST_F(BlockDisplayTest, RedrawsInPlaceAtMostFourTimesASecond) {
  display_.Show(Progressed(10, kNow), kNow);
  EXPECT_EQ(Lines(Taken()), 6u);
  display_.Show(Progressed(11, kNow + absl::Milliseconds(100)), kNow + absl::Milliseconds(100));
  display_.Show(Progressed(12, kNow + absl::Milliseconds(200)), kNow + absl::Milliseconds(200));
  EXPECT_EQ(Taken(), "");
  EXPECT_EQ(display_.NextTick(), kNow + absl::Milliseconds(250));
  display_.Tick(kNow + absl::Milliseconds(250));
  const std::string drawn = Taken();
  EXPECT_THAT(drawn, StartsWith("\x1b[6A\r\x1b[J"));
  EXPECT_THAT(drawn, HasSubstr("12 of 120 steps"));
}

TEST_F(BlockDisplayTest, DrawsNothingWhenNothingChanged) {
  pb::Job job = SampleJob();
  SetTime(kNow, job.mutable_ended());  // stops the clock in the block
  display_.Show(job, kNow);
  Taken();
  display_.Show(job, kNow + absl::Seconds(5));
  display_.Tick(kNow + absl::Seconds(9));
  display_.Finish(kNow + absl::Seconds(10));
  EXPECT_EQ(Taken(), "");
}

TEST_F(BlockDisplayTest, ClockTicksEachSecond) {
  EXPECT_EQ(display_.NextTick(), absl::InfiniteFuture());
  display_.Show(SampleJob(), kNow);
  Taken();
  EXPECT_EQ(display_.NextTick(), kNow + absl::Seconds(1));
  display_.Tick(kNow + absl::Seconds(1));
  EXPECT_THAT(Taken(), HasSubstr("RUNNING  19s"));
}

TEST_F(BlockDisplayTest, NoteComesAndGoes) {
  display_.Show(SampleJob(), kNow);
  Taken();
  display_.Note("connection lost", kNow + absl::Seconds(1));
  EXPECT_THAT(Taken(), HasSubstr("connection lost\n"));
  display_.Note("", kNow + absl::Seconds(2));
  EXPECT_THAT(Taken(), StartsWith("\x1b[7A"));
}

class LineDisplayTest : public BlockDisplayTest {
 protected:
  LineDisplay lines_{out_, absl::UTCTimeZone(), absl::Seconds(30)};
};

TEST_F(LineDisplayTest, OneLinePerStateOrPhaseElseOneIn30Seconds) {
  lines_.Show(Progressed(1, kNow), kNow);
  EXPECT_EQ(Lines(Taken()), 1u);
  lines_.Show(Progressed(2, kNow + absl::Seconds(2)), kNow + absl::Seconds(2));
  lines_.Show(Progressed(9, kNow + absl::Seconds(29)), kNow + absl::Seconds(29));
  EXPECT_EQ(Taken(), "");
  lines_.Show(Progressed(12, kNow + absl::Seconds(30)), kNow + absl::Seconds(30));
  EXPECT_THAT(Taken(), HasSubstr("12 of 120 steps"));
  pb::Job job = Progressed(0, kNow + absl::Seconds(31));
  job.mutable_progress()->set_phase(pb::PHASE_FINISH);
  lines_.Show(job, kNow + absl::Seconds(31));
  EXPECT_THAT(Taken(), StartsWith("2025-01-31 14:04:02 j-4f2a1c RUNNING finish"));
  job.set_state(pb::JOB_STATE_SUCCEEDED);
  lines_.Show(job, kNow + absl::Seconds(31));
  lines_.Show(job, kNow + absl::Seconds(90));
  EXPECT_EQ(Taken(), "2025-01-31 14:04:02 j-4f2a1c SUCCEEDED\n");
}

TEST_F(LineDisplayTest, NoControlCharacters) {
  pb::Job job = SampleJob();
  job.set_reason("a\tb\x1b[2J");
  lines_.Show(job, kNow);
  lines_.Note("connection lost", kNow);
  lines_.Note("connection lost, still", kNow);
  lines_.Note("", kNow);
  const std::string text = Taken();
  EXPECT_EQ(Lines(text), 3u);
  for (const char c : text) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << text;
  EXPECT_THAT(text, HasSubstr("connected again\n"));
}

TEST(ProgressRateTest, MeasuresWithinAPhase) {
  ProgressRate rate;
  rate.Add("train", 0, kNow);
  EXPECT_EQ(rate.PerSecond(), std::nullopt);
  rate.Add("train", 10, kNow + absl::Seconds(20));
  EXPECT_DOUBLE_EQ(rate.PerSecond().value(), 0.5);
  rate.Add("train", 10, kNow + absl::Seconds(25));  // the same report again
  EXPECT_DOUBLE_EQ(rate.PerSecond().value(), 0.5);
  rate.Add("train", 50, kNow + absl::Seconds(80));  // the first is out of the window
  EXPECT_NEAR(rate.PerSecond().value(), 40.0 / 60, 1e-9);
  rate.Add("finish", 1, kNow + absl::Seconds(81));
  EXPECT_EQ(rate.PerSecond(), std::nullopt);
}

TEST(ProgressRateTest, StartsOverAfterARestart) {
  ProgressRate rate;
  rate.Add("train", 50, kNow);
  rate.Add("train", 60, kNow + absl::Seconds(10));
  rate.Add("train", 40, kNow + absl::Seconds(20));
  EXPECT_EQ(rate.PerSecond(), std::nullopt);
}

TEST(ReconnectPolicyTest, GivesUpAfterItsTime) {
  ReconnectPolicy policy({absl::Milliseconds(500), absl::Seconds(2), absl::Seconds(60)});
  EXPECT_EQ(policy.NextWait(kNow), std::nullopt) << "never answered: not tried again";
  policy.Answered();
  EXPECT_EQ(policy.NextWait(kNow), absl::Milliseconds(500));
  EXPECT_EQ(policy.NextWait(kNow + absl::Seconds(1)), absl::Seconds(1));
  EXPECT_EQ(policy.NextWait(kNow + absl::Seconds(2)), absl::Seconds(2));
  EXPECT_EQ(policy.NextWait(kNow + absl::Seconds(4)), absl::Seconds(2));
  EXPECT_EQ(policy.NextWait(kNow + absl::Seconds(59)), absl::Seconds(1));
  EXPECT_EQ(policy.NextWait(kNow + absl::Seconds(60)), std::nullopt);
  policy.Answered();
  EXPECT_EQ(policy.NextWait(kNow + absl::Seconds(70)), absl::Milliseconds(500));
}

}  // namespace
}  // namespace fpo::ctl
