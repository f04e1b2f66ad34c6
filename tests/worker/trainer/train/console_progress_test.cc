#include "worker/trainer/train/console_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace fpo::train {
namespace {

using testing::HasSubstr;
using testing::Not;

class ConsoleProgressTest : public testing::Test {
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
    event.kind = "step";
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

TEST_F(ConsoleProgressTest, SaysWarningsAndErrors) {
  ConsoleProgress progress({stream_, false});
  TrainEvent event;
  event.kind = "warning";
  event.message = "beta is small";
  progress.Emit(event);
  event.kind = "error";
  event.message = "no such folder";
  progress.Emit(event);
  EXPECT_EQ(Text(), "warning: beta is small\nfpo-train: no such folder\n");
}

}  // namespace
}  // namespace fpo::train
