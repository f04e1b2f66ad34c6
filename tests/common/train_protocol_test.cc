#include "common/train_protocol.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(TrainProtocol, EventsRoundTripEveryField) {
  TrainEvent event;
  event.kind = EventKind::kStep;
  event.seq = 9;
  event.time = 12.5;
  event.phase = "train";
  event.done = 3;
  event.total = 8;
  event.unit = "steps";
  event.activity = "step 4: 1 of 2 micro-batches";
  event.step = 3;
  event.metrics = {{"loss", 0.5}, {"rewards/margins", -1}};
  event.texts = {{"device_name", "a \"b\""}};
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
  EXPECT_EQ(read->texts, event.texts);
  EXPECT_EQ(read->message, event.message);
  EXPECT_EQ(read->activity, event.activity);
}

TEST(TrainProtocol, EveryKindHasItsNameOnTheWire) {
  const std::map<std::string, TrainEvent> events = {
      {R"({"v":1,"seq":0,"t":0,"kind":"hello","phase":"reference","total":4,"message":"m"})",
       HelloEvent("m", 4)},
      {R"({"v":1,"seq":0,"t":0,"kind":"phase","phase":"train"})", PhaseEvent("train")},
      {R"({"v":1,"seq":0,"t":0,"kind":"progress","phase":"train","done":0,"total":0})",
       ProgressEvent("train", {})},
      {R"({"v":1,"seq":0,"t":0,"kind":"step","phase":"train","total":9,"step":0})",
       StepEvent(0, 9, {})},
      {R"({"v":1,"seq":0,"t":0,"kind":"evaluation","step":0})", EvaluationEvent(0, 0, {})},
      {R"({"v":1,"seq":0,"t":0,"kind":"records","file":"f","count":0})", RecordsEvent("f", 0, {})},
      {R"({"v":1,"seq":0,"t":0,"kind":"checkpoint","step":4,"file":"f"})", CheckpointEvent(4, "f")},
      {R"({"v":1,"seq":0,"t":0,"kind":"checkpoint_bad","step":4,"message":"m"})",
       BadCheckpointEvent(4, "m")},
      {R"({"v":1,"seq":0,"t":0,"kind":"warning","message":"m"})", WarningEvent("m")},
      {R"({"v":1,"seq":0,"t":0,"kind":"result","step":4,"file":"f"})", ResultEvent("f", 4, {})},
      {R"({"v":1,"seq":0,"t":0,"kind":"error","error_class":"memory","message":"m"})",
       ErrorEvent("memory", "m")},
  };
  for (const auto& [line, event] : events) {
    EXPECT_EQ(EncodeEvent(event), line);
    const auto read = ParseEvent(line);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->kind, event.kind) << line;
  }
}

TEST(TrainProtocol, KindsOfAnotherBuildAreUnknownAndKindsAreRequired) {
  const auto read = ParseEvent(R"({"v":1,"seq":3,"t":0,"kind":"dream"})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind, EventKind::kUnknown);
  EXPECT_EQ(read->seq, 3u);
  EXPECT_FALSE(ParseEvent(R"({"v":1,"seq":3,"t":0})").ok());
}

TEST(TrainProtocol, UnknownFieldsAreIgnoredAndNonsenseRefused) {
  EXPECT_TRUE(ParseEvent(R"({"v":1,"seq":1,"t":0,"kind":"step","new":1})").ok());
  for (const char* line :
       {"", "x", "[]", R"({"v":1})", R"({"v":1,"seq":1,"t":0,"kind":"result","texts":[]})",
        R"({"v":1,"seq":1,"t":0,"kind":"result","texts":{"a":1}})"})
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
