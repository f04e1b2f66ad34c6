#include "train/events/console_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ConsoleProgressTest : public ::testing::Test {
 protected:
  void SetUp() override { stream_ = std::tmpfile(); }
  void TearDown() override { std::fclose(stream_); }
  std::string Text() {
    std::string text(static_cast<size_t>(std::ftell(stream_)), ' ');
    std::rewind(stream_);
    EXPECT_EQ(std::fread(text.data(), 1, text.size(), stream_), text.size());
    return text;
  }
  static TrainEvent Step(int64_t step) {
    TrainEvent event;
    event.kind = EventKind::kStep;
    event.step = step;
    event.total = 10;
    event.metrics = {{"loss", 0.6931}, {"rewards/accuracies", 0.75}};
    return event;
  }
  std::FILE* stream_ = nullptr;
};

TEST_F(ConsoleProgressTest, TerminalRedrawsOneLine) {
  {
    ConsoleProgress progress({stream_, true});
    progress.Emit(Step(4));
    progress.Emit(Step(5));
  }
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("\r"));
  EXPECT_THAT(text, HasSubstr("[############"));
  EXPECT_THAT(text, HasSubstr("step 5/10"));
  EXPECT_THAT(text, HasSubstr("loss 0.6931"));
  EXPECT_THAT(text, HasSubstr("acc 0.75"));
}

TEST_F(ConsoleProgressTest, PipeGetsPlainLinesAtMostOneASecond) {
  ConsoleProgress progress({stream_, false});
  for (int64_t step = 1; step <= 10; ++step) progress.Emit(Step(step));
  const std::string text = Text();
  EXPECT_THAT(text, Not(HasSubstr("\r")));
  EXPECT_THAT(text, HasSubstr("step 1/10"));
  EXPECT_THAT(text, HasSubstr("step 10/10"));
  EXPECT_THAT(text, Not(HasSubstr("step 5/10")));
}

TEST_F(ConsoleProgressTest, ASlowStepIsToldOnAPipeAndHidesNoStep) {
  absl::Time now = absl::FromUnixSeconds(1000);
  ConsoleProgress::Options options;
  options.stream = stream_;
  options.terminal = false;
  options.plain_interval = absl::Seconds(8);
  options.clock = [&] { return now; };
  ConsoleProgress progress(options);
  for (int64_t step = 4; step <= 5; ++step) {
    for (int64_t layer = 2; layer <= 26; layer += 2) {
      TrainEvent event;
      event.kind = EventKind::kProgress;
      event.phase = "train";
      event.unit = "steps";
      event.done = step - 1;
      event.total = 10;
      event.activity = absl::StrCat("step ", step, ": forward: ", layer, " of 26 layers");
      progress.Emit(event);
      now += absl::Seconds(2);
    }
    progress.Emit(Step(step));
  }
  // Never ten seconds without a line, and each step has its own although it took 26.
  EXPECT_EQ(Text(),
            "train  3/10 steps  step 4: forward: 2 of 26 layers\n"
            "train  3/10 steps  step 4: forward: 10 of 26 layers\n"
            "train  3/10 steps  step 4: forward: 18 of 26 layers\n"
            "train  3/10 steps  step 4: forward: 26 of 26 layers\n"
            "train  step 4/10  loss 0.6931  acc 0.75  2:36 left\n"
            "train  4/10 steps  loss 0.6931  step 5: forward: 10 of 26 layers\n"
            "train  4/10 steps  loss 0.6931  step 5: forward: 18 of 26 layers\n"
            "train  4/10 steps  loss 0.6931  step 5: forward: 26 of 26 layers\n"
            "train  step 5/10  loss 0.6931  acc 0.75  2:10 left\n");
}

TEST_F(ConsoleProgressTest, WhatComesBeforeTheFirstStepIsNoMeasureOfSteps) {
  absl::Time now = absl::FromUnixSeconds(1000);
  ConsoleProgress::Options options;
  options.stream = stream_;
  options.terminal = false;
  options.clock = [&] { return now; };
  ConsoleProgress progress(options);
  TrainEvent collecting;
  collecting.kind = EventKind::kProgress;
  collecting.phase = "train";
  collecting.unit = "steps";
  collecting.total = 200;
  collecting.activity = "collecting activations";
  progress.Emit(collecting);
  now += absl::Minutes(10);
  for (const int64_t step : {1, 2}) {
    TrainEvent event;
    event.kind = EventKind::kStep;
    event.step = step;
    event.total = 200;
    progress.Emit(event);
    now += absl::Seconds(30);
  }
  EXPECT_THAT(Text(), HasSubstr("step 1/200\n"));
  EXPECT_THAT(Text(), HasSubstr("step 2/200  1h39m left\n"));
}

TEST_F(ConsoleProgressTest, BytesAreReadable) {
  ConsoleProgress progress({stream_, false});
  TrainEvent event;
  event.kind = EventKind::kProgress;
  event.phase = "prepare";
  event.unit = "bytes";
  event.done = int64_t{1} << 29;
  event.total = int64_t{5} << 30;
  event.activity = "hashing the weights of m";
  progress.Emit(event);
  EXPECT_EQ(Text(), "prepare  0.5 of 5.0 GiB  hashing the weights of m\n");
}

TEST_F(ConsoleProgressTest, TheLiveLineNeverWraps) {
  {
    ConsoleProgress progress({stream_, true, 22});
    TrainEvent event;
    event.kind = EventKind::kProgress;
    event.phase = "train";
    event.activity = "loading caf\xC3\xA9 and much more";
    progress.Emit(event);
  }
  EXPECT_EQ(Text(), "\r\x1b[Ktrain    loading caf\n") << "no half a letter";
}

TEST_F(ConsoleProgressTest, SaysWarningsAndErrors) {
  ConsoleProgress progress({stream_, false});
  TrainEvent event;
  event.kind = EventKind::kWarning;
  event.message = "beta is small";
  progress.Emit(event);
  event.kind = EventKind::kError;
  event.message = "no such folder";
  progress.Emit(event);
  EXPECT_EQ(Text(), "warning: beta is small\nfpo-train: no such folder\n");
}

}  // namespace
}  // namespace fpo::train
