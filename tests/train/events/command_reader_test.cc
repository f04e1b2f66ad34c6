#include "train/events/command_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "train/events/stop_signal.h"

namespace fpo::train {
namespace {

class CommandReaderTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe(ends_), 0); }
  void TearDown() override {
    ClearStopRequest();
    close(ends_[0]);
    CloseWriter();
  }
  void CloseWriter() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  void Send(const std::string& bytes) {
    ASSERT_EQ(write(ends_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  static std::string Score(const std::string& file) {
    TrainCommand command;
    command.kind = "score";
    command.ordinals = {3, 1};
    command.file = file;
    return EncodeCommand(command) + "\n";
  }
  int ends_[2] = {-1, -1};
};

TEST_F(CommandReaderTest, ReadsLinesUntilTheEnd) {
  CommandReader reader(ends_[0]);
  Send(Score("a.fpr") + Score("b.fpr"));
  CloseWriter();
  auto first = reader.Next();
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((*first)->file, "a.fpr");
  EXPECT_EQ((*first)->ordinals, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ((*reader.Next())->file, "b.fpr");
  EXPECT_FALSE(reader.Next()->has_value());
}

TEST_F(CommandReaderTest, PollNeverWaits) {
  CommandReader reader(ends_[0]);
  EXPECT_FALSE(reader.Poll()->has_value());
  const std::string line = Score("a.fpr");
  Send(line.substr(0, 10));
  EXPECT_FALSE(reader.Poll()->has_value());
  Send(line.substr(10));
  EXPECT_TRUE(reader.Poll()->has_value());
  CloseWriter();
  EXPECT_FALSE(reader.Poll()->has_value());
}

TEST_F(CommandReaderTest, GarbageIsAnError) {
  CommandReader reader(ends_[0]);
  Send("not json\n");
  EXPECT_FALSE(reader.Next().ok());
}

TEST_F(CommandReaderTest, StopEndsTheWait) {
  CommandReader reader(ends_[0]);
  RequestStop();
  EXPECT_FALSE(reader.Next()->has_value());
}

}  // namespace
}  // namespace fpo::train
