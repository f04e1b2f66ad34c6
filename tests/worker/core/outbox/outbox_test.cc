#include "worker/core/outbox/outbox.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files/file_descriptor.h"
#include "common/train_protocol.h"
#include "gtest/gtest.h"
#include "tests/common/waits/moved_wall.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

const AttemptRef kFirst{"job-1", 1, 1};
const AttemptRef kSecond{"job-2", 1, 4};

class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest() : metrics_(&registry_), outbox_({.folder = folder_.path(), .spool = {}}, &metrics_) {
    outbox_.Open(kFirst);
    outbox_.StartSession();
  }

  static Report MakeReport(ReportStatus status, const AttemptRef& id = kFirst) {
    Report report;
    report.attempt = id;
    report.status = status;
    return report;
  }
  // "accepted", "e:text", "l:text" of everything that is due.
  std::vector<std::string> Drain() {
    std::vector<std::string> said;
    while (const std::optional<Outgoing> next = outbox_.Next(absl::ZeroDuration())) {
      if (const auto* report = std::get_if<Report>(&*next)) {
        said.push_back(report->status == ReportStatus::kAccepted ? "accepted" : "final");
      } else if (const auto* events = std::get_if<EventBatch>(&*next)) {
        for (const Line& line : events->lines) said.push_back("e:" + line.text);
      } else {
        for (const Line& line : std::get<LogBatch>(*next).lines) said.push_back("l:" + line.text);
      }
    }
    return said;
  }
  static Line Text(const std::string& text) {
    return {.rank = 0, .stream = LineStream::kStdout, .time_unix_ms = 1, .text = text};
  }
  using Said = std::vector<std::string>;

  fpo::testing::TempFolder folder_;
  MetricsRegistry registry_;
  AgentMetrics metrics_;
  Outbox outbox_;
};

TEST_F(OutboxTest, ReportsGoBeforeEventsBeforeLogsAndTheFinalOneLast) {
  outbox_.AddLog(kFirst, Text("a"));
  outbox_.AddEvent(kFirst, Text("b"));
  outbox_.AddReport(MakeReport(ReportStatus::kAccepted), false);
  outbox_.AddReport(MakeReport(ReportStatus::kSucceeded), true);
  EXPECT_EQ(Drain(), (Said{"accepted", "e:b", "l:a", "final"}));
  EXPECT_EQ(Drain(), Said{});
}

TEST_F(OutboxTest, TheNextAgentSendsWhatAKilledOneLeft) {
  for (const char* text : {"1", "2", "3"}) outbox_.AddLog(kFirst, Text(text));
  outbox_.AddEvent(kFirst, Text("e"));
  outbox_.Acknowledge(kFirst, 0, 1);
  Outbox next({.folder = folder_.path(), .spool = {}}, &metrics_);  // as after kill -9
  EXPECT_GE(next.Recover(), 3);
  EXPECT_TRUE(next.Attempts().empty()) << "nothing of it runs";
  next.StartSession();
  const auto events = std::get<EventBatch>(*next.Next(absl::ZeroDuration()));
  EXPECT_EQ(events.attempt, kFirst);
  EXPECT_EQ(events.lines.at(0).text, "e");
  const auto logs = std::get<LogBatch>(*next.Next(absl::ZeroDuration()));
  EXPECT_EQ(logs.first_seq + logs.lines.size(), 4u) << "numbered as before: nothing comes twice";
  EXPECT_EQ(logs.lines.back().text, "3");
  next.Acknowledge(kFirst, 1, 3);
  EXPECT_TRUE(next.WaitUntilEmpty(absl::ZeroDuration()));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(OutboxTest, ANewSessionSendsAgainWhatWasNotConfirmed) {
  for (const char* text : {"1", "2", "3"}) outbox_.AddLog(kFirst, Text(text));
  outbox_.AddReport(MakeReport(ReportStatus::kAccepted), false);
  EXPECT_EQ(Drain().size(), 4u);
  outbox_.Acknowledge(kFirst, 0, 2);
  outbox_.StartSession();
  EXPECT_EQ(Drain(), (Said{"accepted", "l:3"}));
}

TEST_F(OutboxTest, OnlyAHeartbeatAfterTheReportConfirmsIt) {
  outbox_.AddReport(MakeReport(ReportStatus::kAccepted), false);
  outbox_.OnHeartbeatSent(1);
  Drain();
  outbox_.OnHeartbeatAnswered(1);
  outbox_.StartSession();
  EXPECT_EQ(Drain(), Said{"accepted"}) << "heartbeat 1 went out before the report";
  outbox_.OnHeartbeatSent(1);
  outbox_.OnHeartbeatAnswered(1);
  outbox_.StartSession();
  EXPECT_EQ(Drain(), Said{});
}

TEST_F(OutboxTest, AReportThatIsStillBeingWrittenIsNotConfirmed) {
  outbox_.AddReport(MakeReport(ReportStatus::kAccepted), false);
  ASSERT_TRUE(outbox_.Next(absl::ZeroDuration()).has_value());  // taken, not yet written
  outbox_.OnHeartbeatSent(1);
  outbox_.OnHeartbeatAnswered(1);
  outbox_.StartSession();
  EXPECT_EQ(Drain(), Said{"accepted"});
}

TEST_F(OutboxTest, ForgetsAnAttemptOnceEverythingIsConfirmed) {
  outbox_.AddLog(kFirst, Text("a"));
  outbox_.AddReport(MakeReport(ReportStatus::kSucceeded), true);
  outbox_.Close(kFirst);
  EXPECT_EQ(Drain(), (Said{"l:a", "final"}));
  EXPECT_EQ(outbox_.Attempts(), std::vector<AttemptRef>{kFirst});
  outbox_.OnHeartbeatSent(1);
  outbox_.OnHeartbeatAnswered(1);
  EXPECT_TRUE(outbox_.Attempts().empty()) << "its end is known";
  EXPECT_FALSE(outbox_.WaitUntilEmpty(absl::ZeroDuration())) << "its log is not acknowledged";
  outbox_.Acknowledge(kFirst, 0, 1);
  EXPECT_TRUE(outbox_.WaitUntilEmpty(absl::ZeroDuration()));
}

TEST_F(OutboxTest, ARefusalIsSentButNotARunningAttempt) {
  outbox_.AddReport(MakeReport(ReportStatus::kRefused, kSecond), false);
  outbox_.Close(kSecond);
  EXPECT_EQ(outbox_.Attempts(), std::vector<AttemptRef>{kFirst});
  EXPECT_EQ(Drain(), Said{"final"});
  outbox_.OnHeartbeatSent(1);
  outbox_.OnHeartbeatAnswered(1);
  outbox_.StartSession();
  EXPECT_EQ(Drain(), Said{});
}

TEST_F(OutboxTest, BatchesStaySmallAndCountWithoutGaps) {
  for (int i = 0; i < 300; ++i) outbox_.AddLog(kFirst, Text(std::string(1000, 'x')));
  uint64_t next_seq = 1;
  while (const std::optional<Outgoing> next = outbox_.Next(absl::ZeroDuration())) {
    const auto& batch = std::get<LogBatch>(*next);
    EXPECT_EQ(batch.attempt, kFirst);
    EXPECT_EQ(batch.first_seq, next_seq);
    EXPECT_LE(batch.lines.size(), 64u);
    next_seq += batch.lines.size();
  }
  EXPECT_EQ(next_seq, 301u);
  EXPECT_GT(metrics_.log_spool_bytes.Value(), 300'000);
  outbox_.Acknowledge(kFirst, 0, 300);
  EXPECT_FALSE(outbox_.Next(absl::ZeroDuration()))
      << "whoever sends also drops what was acknowledged";
  EXPECT_EQ(metrics_.log_spool_bytes.Value(), 0);
}

// The disk of the work dir stalls: a pipe that nobody reads takes the place of the journal.
TEST_F(OutboxTest, ADiskThatStallsDelaysNoHeartbeat) {
  outbox_.AddReport(MakeReport(ReportStatus::kAccepted), false);
  EXPECT_EQ(Drain(), Said{"accepted"});
  const std::string folder = folder_.path() + "/job-1-a1-e1";
  std::filesystem::create_directories(folder);
  const std::string pipe = folder + "/log.journal-1";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::thread rank([&] { outbox_.AddLog(kFirst, Text("a")); });
  absl::Notification beaten;
  std::thread beats([&] {
    for (uint64_t seq = 1; seq <= 3; ++seq) {
      outbox_.OnHeartbeatSent(seq);
      outbox_.OnHeartbeatAnswered(seq);
      outbox_.Acknowledge(kFirst, 0, 0);
      (void)outbox_.Attempts();
    }
    beaten.Notify();
  });
  EXPECT_TRUE(beaten.WaitForNotificationWithTimeout(absl::Seconds(10)));
  const FileDescriptor reader(open(pipe.c_str(), O_RDONLY | O_CLOEXEC));  // the disk is back
  rank.join();
  beats.join();
  EXPECT_EQ(Drain(), Said{"l:a"});
}

TEST_F(OutboxTest, LogsAreSentAgainFromWhereTheCoordinatorAsks) {
  for (const char* text : {"a", "b", "c"}) outbox_.AddLog(kFirst, Text(text));
  EXPECT_EQ(Drain(), (Said{"l:a", "l:b", "l:c"}));
  outbox_.ResendLogs(kFirst, 2);
  EXPECT_EQ(Drain(), (Said{"l:b", "l:c"}));
  outbox_.Acknowledge(kFirst, 0, 2);
  outbox_.ResendLogs(kFirst, 1);
  EXPECT_EQ(Drain(), Said{"l:c"}) << "what was acknowledged is gone";
  outbox_.ResendLogs(kSecond, 1);
}

TEST_F(OutboxTest, TextIsValidUtf8) {
  outbox_.AddLog(kFirst, Text("bad \xFF byte"));
  EXPECT_EQ(Drain(), Said{"l:bad ? byte"});
}

TEST_F(OutboxTest, WaitsAsLongAsItWasAskedWhereverTheWallClockIs) {
  for (const absl::Duration by : {absl::Hours(1), -absl::Hours(1)}) {
    const fpo::testing::MovedWall moved(by);
    const absl::Time begin = BootNow();
    EXPECT_FALSE(outbox_.Next(absl::Milliseconds(50)).has_value());
    EXPECT_FALSE(outbox_.WaitUntilEmpty(absl::Milliseconds(50)));
    EXPECT_GE(BootNow() - begin, absl::Milliseconds(100)) << by;
    EXPECT_LT(BootNow() - begin, absl::Minutes(1)) << by;
  }
}

TEST(OutboxGapTest, DroppedEventsBecomeAWarningEvent) {
  fpo::testing::TempFolder folder;
  MetricsRegistry registry;
  AgentMetrics metrics(&registry);
  Outbox outbox({.folder = folder.path(),
                 .spool = {.folder = "",
                           .memory_bytes_max = 500,
                           .segment_bytes = 300,
                           .total_bytes_max = 1500}},
                &metrics);
  outbox.Open(kFirst);
  outbox.StartSession();
  for (int i = 0; i < 300; ++i) {
    outbox.AddEvent(kFirst, {.rank = 0, .stream = {}, .time_unix_ms = 0, .text = "{}"});
  }
  int warnings = 0;
  while (const std::optional<Outgoing> next = outbox.Next(absl::ZeroDuration())) {
    for (const Line& line : std::get<EventBatch>(*next).lines) {
      const absl::StatusOr<TrainEvent> event = ParseEvent(line.text);
      warnings += event.ok() && event->kind == EventKind::kWarning ? 1 : 0;
    }
  }
  EXPECT_EQ(warnings, 1);
  EXPECT_GT(metrics.log_gap_bytes.Value(), 0);
}

}  // namespace
}  // namespace fpo::worker
