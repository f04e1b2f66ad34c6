#include "worker/core/process/rank_output.h"

#include <string>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/agent_fixture.h"

namespace fpo::worker {
namespace {

class RankOutputTest : public ::testing::Test {
 protected:
  RankOutputTest() {
    parts_.outbox.Open(id_);
    parts_.outbox.StartSession();
  }
  LineBatch Next() {
    const std::optional<Outgoing> next = parts_.outbox.Next(absl::ZeroDuration());
    if (!next) return {};
    if (const auto* events = std::get_if<EventBatch>(&*next)) return *events;
    return std::get<LogBatch>(*next);
  }

  const AttemptRef id_{"job-1", 1, 1};
  fpo::testing::AgentParts parts_;
  RankOutput output_{id_, -1, &parts_.outbox, &parts_.metrics};
};

TEST_F(RankOutputTest, PassesLinesAndEventsOn) {
  TrainEvent step;
  step.kind = EventKind::kStep;
  step.metrics["pairs"] = 4;
  output_.OnEvent(2, step, "{json}");
  output_.OnLine(2, LineStream::kStdout, "hello");
  output_.Note("from the agent");
  const LineBatch events = Next();
  ASSERT_EQ(events.lines.size(), 1u);
  EXPECT_EQ(events.lines[0].text, "{json}");
  EXPECT_EQ(events.lines[0].rank, 2);
  const LineBatch logs = Next();
  ASSERT_EQ(logs.lines.size(), 2u);
  EXPECT_EQ(logs.lines[0].stream, LineStream::kStdout);
  EXPECT_GT(logs.lines[0].time_unix_ms, 0);
  EXPECT_EQ(logs.lines[1].stream, LineStream::kAgent);
  EXPECT_EQ(logs.lines[1].rank, -1);
  EXPECT_NE(parts_.registry.Text().find("fpo_train_pairs_total 4"), std::string::npos);
}

TEST_F(RankOutputTest, TheErrorEventIsTheLastWordElseTheEndOfStderr) {
  for (int i = 0; i < 9; ++i) output_.OnLine(0, LineStream::kStderr, "line " + std::to_string(i));
  output_.OnLine(0, LineStream::kStdout, "not this");
  EXPECT_EQ(output_.LastOutput(0), "line 4\nline 5\nline 6\nline 7\nline 8");
  TrainEvent error;
  error.kind = EventKind::kError;
  error.message = "no such layer";
  output_.OnEvent(0, error, EncodeEvent(error));
  EXPECT_EQ(output_.LastOutput(0), "no such layer");
  EXPECT_EQ(output_.LastOutput(1), "");
  output_.ForgetOutput();
  EXPECT_EQ(output_.LastOutput(0), "");
}

}  // namespace
}  // namespace fpo::worker
