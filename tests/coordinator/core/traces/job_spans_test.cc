#include "coordinator/core/traces/job_spans.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;

constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";

double Second(absl::Time time) { return absl::ToDoubleSeconds(time - kStart); }

class JobSpansTest : public ::testing::Test {
 protected:
  JobSpansTest() {
    job_ = MakeJob("j-1");
    job_.name = "tiny";
    job_.trace = {kTraceId, "00f067aa0ba902b7", true};
    job_.submitted = kStart;
    job_.state = JobState::kSucceeded;
    job_.ended = kStart + absl::Seconds(100);
  }
  void AddAttempt(int begin, int end, EndClass end_class) {
    Attempt attempt;
    attempt.number = static_cast<int32_t>(job_.attempts.size()) + 1;
    attempt.epoch = static_cast<uint64_t>(attempt.number);
    attempt.members = {MemberOn("w1")};
    attempt.started = kStart + absl::Seconds(begin);
    attempt.ended = kStart + absl::Seconds(end);
    attempt.end_class = end_class;
    attempt.end_message = "how it ended";
    job_.attempts.push_back(attempt);
  }
  static TrainEvent At(double second, TrainEvent event) {
    event.time = absl::ToDoubleSeconds(kStart - absl::UnixEpoch()) + second;
    return event;
  }
  // "name [start, end] below name", in the order of the spans.
  std::vector<std::string> Told(JobSpans* spans) {
    trace_ = spans->Finish();
    std::map<std::string, std::string> names = {{"00f067aa0ba902b7", "the caller"}};
    for (const Span& span : trace_.spans) {
      EXPECT_EQ(names.count(span.span_id), 0u) << "an id twice: " << span.name;
      names[span.span_id] = span.name;
    }
    std::vector<std::string> told;
    for (const Span& span : trace_.spans) {
      told.push_back(absl::StrCat(span.name, " [", Second(span.start), ", ", Second(span.end),
                                  "] below ", names[span.parent_id]));
    }
    return told;
  }
  const Span& Named(const std::string& name, int number = 0) {
    for (const Span& span : trace_.spans) {
      if (span.name == name && number-- == 0) return span;
    }
    ADD_FAILURE() << "no " << name;
    return trace_.spans.front();
  }

  Job job_;
  Trace trace_;
};

TEST_F(JobSpansTest, APreemptedJobIsOneTraceOfSeveralAttempts) {
  AddAttempt(10, 40, EndClass::kAsked);
  AddAttempt(60, 100, EndClass::kDone);
  JobSpans spans(job_);
  spans.Add(1, -1, At(12, PhaseEvent("prepare")));
  spans.Add(1, -1, At(20, PhaseEvent("train")));
  spans.Add(1, 0, At(22, StepEvent(1, 3, {{"step_seconds", 1}, {"loss", 0.7}})));
  spans.Add(1, 0, At(24, StepEvent(2, 3, {{"step_seconds", 2}})));
  spans.Add(1, 0, At(30, CheckpointEvent(2, "step-2", {{"seconds", 5}, {"bytes", 10}})));
  spans.Add(2, -1, At(61, CheckpointEvent(2, "step-2")));  // reported again
  spans.Add(2, -1, At(62, PhaseEvent("train")));
  spans.Add(2, 0, At(70, StepEvent(3, 3, {{"step_seconds", 3}})));
  spans.Add(2, 0, At(80, EvaluationEvent(3, 3, {{"eval_seconds", 4}, {"eval_loss", 0.5}})));
  spans.Add(2, -1, At(90, PhaseEvent("finish")));
  EXPECT_THAT(Told(&spans),
              ElementsAre("job [0, 100] below the caller", "queue [0, 10] below job",
                          "attempt [10, 40] below job", "assign [10, 12] below attempt",
                          "prepare [12, 20] below attempt", "train [20, 40] below attempt",
                          "steps [21, 22] below train", "checkpoint [25, 30] below train",
                          "steps [22, 24] below train", "queue [40, 60] below job",
                          "attempt [60, 100] below job", "assign [60, 62] below attempt",
                          "train [62, 90] below attempt", "finish [90, 100] below attempt",
                          "evaluate [76, 80] below train", "steps [67, 70] below train"));
  EXPECT_EQ(trace_.trace_id, kTraceId);
  EXPECT_FALSE(Named("attempt").error.has_value()) << "it was asked to end";
  EXPECT_EQ(std::get<double>(Named("evaluate").attributes.at("fpo.eval_loss")), 0.5);
  EXPECT_EQ(std::get<int64_t>(Named("checkpoint").attributes.at("fpo.step")), 2);
}

TEST_F(JobSpansTest, ALongRunHasNoMoreSpansThanAShortOne) {
  AddAttempt(0, 100, EndClass::kDone);
  JobSpans spans(job_);
  for (int64_t step = 1; step <= 100'000; ++step) {
    spans.Add(1, 0, At(static_cast<double>(step) / 1000, StepEvent(step, 100'000, {})));
    spans.Add(1, 1, At(0, StepEvent(step, 100'000, {})));  // another rank's
  }
  for (int64_t step = 1; step <= 5'000; ++step) {
    spans.Add(1, 0, At(50, EvaluationEvent(step, 100'000, {})));
  }
  const size_t number = Told(&spans).size();
  EXPECT_LT(number, 600u);
  EXPECT_GT(number, 500u);
  int64_t steps = 0;
  for (const Span& span : trace_.spans) {
    if (span.name != "steps") continue;
    steps += std::get<int64_t>(span.attributes.at("fpo.step.last")) -
             std::get<int64_t>(span.attributes.at("fpo.step.first")) + 1;
  }
  EXPECT_EQ(steps, 100'000);
  EXPECT_GT(std::get<int64_t>(Named("attempt").attributes.at("fpo.spans_left_out")), 4'000);
}

TEST_F(JobSpansTest, TimesOfAClockThatIsOffStayWithinTheAttempt) {
  AddAttempt(10, 40, EndClass::kProgram);
  JobSpans spans(job_);
  spans.Add(1, -1, At(-500, PhaseEvent("prepare")));
  spans.Add(1, -1, At(5000, PhaseEvent("train")));
  spans.Add(1, 0, At(5001, StepEvent(1, 1, {{"step_seconds", 1}})));
  EXPECT_THAT(Told(&spans),
              ElementsAre("job [0, 100] below the caller", "queue [0, 10] below job",
                          "attempt [10, 40] below job", "assign [10, 10] below attempt",
                          "prepare [10, 40] below attempt", "train [40, 40] below attempt",
                          "steps [40, 40] below train"));
  EXPECT_EQ(Named("attempt").error, "how it ended");
}

TEST_F(JobSpansTest, AJobThatNeverStartedOnlyWaited) {
  job_.state = JobState::kFailed;
  job_.reason = "no worker can hold it";
  job_.trace.span_id.clear();
  JobSpans spans(job_);
  EXPECT_THAT(Told(&spans), ElementsAre("job [0, 100] below ", "queue [0, 100] below job"));
  EXPECT_EQ(Named("job").error, "no worker can hold it");
}

TEST_F(JobSpansTest, WhoTellsTwiceTellsTheSame) {
  AddAttempt(10, 40, EndClass::kDone);
  std::vector<std::string> ids[2];
  for (auto& list : ids) {
    JobSpans spans(job_);
    spans.Add(1, -1, At(12, PhaseEvent("train")));
    for (const Span& span : spans.Finish().spans) list.push_back(span.span_id);
  }
  EXPECT_EQ(ids[0], ids[1]);
}

TEST_F(JobSpansTest, TheProcessesOfAnAttemptAreBelowItsSpan) {
  EXPECT_EQ(AttemptTraceparent(job_), "") << "there is no attempt yet";
  AddAttempt(10, 40, EndClass::kDone);
  JobSpans spans(job_);
  Told(&spans);
  EXPECT_EQ(AttemptTraceparent(job_),
            absl::StrCat("00-", kTraceId, "-", Named("attempt").span_id, "-01"));
  job_.trace = {};
  EXPECT_EQ(AttemptTraceparent(job_), "");
}

}  // namespace
}  // namespace fpo::coordinator
