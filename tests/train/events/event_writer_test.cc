#include "train/events/event_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace fpo::train {
namespace {

class EventWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(pipe(ends_), 0);
    std::signal(SIGPIPE, SIG_IGN);
  }
  void TearDown() override {
    if (ends_[0] >= 0) close(ends_[0]);
    close(ends_[1]);
  }
  std::string ReadAll() {
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    std::string text;
    char bytes[65536];
    for (ssize_t n; (n = read(ends_[0], bytes, sizeof(bytes))) > 0;) text.append(bytes, n);
    return text;
  }
  EventWriter Writer(absl::Duration patience = absl::Seconds(5)) {
    return EventWriter({ends_[1], patience});
  }
  int ends_[2] = {-1, -1};
};

TrainEvent Step(int64_t step) {
  TrainEvent event;
  event.kind = EventKind::kStep;
  event.step = step;
  event.metrics["loss"] = 0.5;
  return event;
}

TEST_F(EventWriterTest, OneLineAnEventInOrder) {
  EventWriter writer = Writer();
  writer.Emit(Step(1));
  writer.Emit(Step(2));
  const std::string text = ReadAll();
  const size_t end = text.find('\n');
  const auto first = ParseEvent(text.substr(0, end));
  const auto second = ParseEvent(text.substr(end + 1, text.size() - end - 2));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->seq, 1u);
  EXPECT_EQ(second->seq, 2u);
  EXPECT_EQ(second->step, 2);
  EXPECT_GT(first->time, 1e9);
}

TEST_F(EventWriterTest, FullPipeDropsStepsAndCountsThem) {
  EventWriter writer = Writer();
  for (int64_t i = 0; i < 5000; ++i) writer.Emit(Step(i));  // returns without a reader
  std::string text = ReadAll();
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 5000);
  TrainEvent event;
  event.kind = EventKind::kCheckpoint;
  writer.Emit(event);
  text = ReadAll();
  const auto parsed = ParseEvent(text.substr(0, text.size() - 1));
  ASSERT_TRUE(parsed.ok());
  EXPECT_GT(parsed->metrics.at("dropped_events"), 0);
}

TEST_F(EventWriterTest, GoneReaderIsNotAnError) {
  EventWriter writer = Writer();
  close(ends_[0]);
  ends_[0] = -1;
  writer.Emit(Step(1));
  TrainEvent event;
  event.kind = EventKind::kResult;
  writer.Emit(event);
}

TEST_F(EventWriterTest, ClosedDescriptorIsIgnored) {
  EventWriter writer({1000, absl::Seconds(1)});
  writer.Emit(Step(1));
}

}  // namespace
}  // namespace fpo::train
