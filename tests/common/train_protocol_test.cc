#include "common/train_protocol.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(TrainProtocol, EventsRoundTripEveryField) {
  TrainEvent event;
  event.kind = "step";
  event.seq = 9;
  event.time = 12.5;
  event.phase = "train";
  event.done = 3;
  event.total = 8;
  event.unit = "steps";
  event.activity = "step 4: 1 of 2 micro-batches";
  event.step = 3;
  event.metrics = {{"loss", 0.5}, {"rewards/margins", -1}};
  event.file = "f";
  event.count = 2;
  event.digest = "ab12";
  event.error_class = "invalid";
  event.message = "a \"b\"";
  const std::string line = EncodeEvent(event);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto read = ParseEvent(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(EncodeEvent(*read), line);
  EXPECT_EQ(read->metrics, event.metrics);
  EXPECT_EQ(read->message, event.message);
  EXPECT_EQ(read->activity, event.activity);
}

TEST(TrainProtocol, UnknownFieldsAreIgnoredAndNonsenseRefused) {
  EXPECT_TRUE(ParseEvent(R"({"v":1,"seq":1,"t":0,"kind":"step","new":1})").ok());
  for (const char* line : {"", "x", "[]", R"({"v":1})"})
    EXPECT_FALSE(ParseEvent(line).ok()) << line;
}

TEST(TrainProtocol, CommandsRoundTrip) {
  TrainCommand command{"score", {0, 5, 7}, "/tmp/x.fpr"};
  const auto read = ParseCommand(EncodeCommand(command));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ordinals, command.ordinals);
  EXPECT_EQ(read->file, command.file);
}

}  // namespace
}  // namespace fpo
