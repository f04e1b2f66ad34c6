#include "coordinator/core/lines/log_retention.h"

#include "coordinator/core/lines/line_intake.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kTextBytes = 936;  // with its overhead 1,000

class LogRetentionTest : public ::testing::Test {
 protected:
  std::string AddJob(const std::string& request) {
    (void)jobs_.Create(MakeJob(""), {.request_id = request, .digest = "", .job_id = "", .time = {}},
                       kStart);
    for (const JobPtr& job : jobs_.All()) {
      if (!known_.insert(job->job_id).second) continue;
      // An attempt that has sent lines, and is over.
      EXPECT_TRUE(jobs_.ApplyEvent(job->job_id, Reserve{{MemberOn("w1")}}, kStart).ok());
      EXPECT_TRUE(jobs_.ApplyEvent(job->job_id, ReservationExpired{}, kStart).ok());
      return job->job_id;
    }
    return "";
  }
  void End(const std::string& id, absl::Time when) {
    ASSERT_TRUE(jobs_.ApplyEvent(id, CancelRequest{absl::ZeroDuration()}, when).ok());
  }
  // Lines of 1,000 bytes each.
  void Say(LogRetention* retention, const std::string& id, int count, absl::Time when) {
    LineIntake intake(&store_, &jobs_, retention);
    LogBatch batch;
    batch.attempt = {id, 1, 1};
    batch.first_seq = next_[id];
    for (int i = 0; i < count; ++i) {
      std::string text = std::to_string(next_[id]++) + " ";
      text.resize(kTextBytes, 'x');
      batch.lines.push_back({0, LineStream::kStdout, absl::ToUnixMillis(when), text});
    }
    ASSERT_TRUE(intake.AddLogs("w1", batch).ok());
  }
  std::vector<LogLine> Lines(const std::string& id) {
    return store_.ReadLogs(id, {}).value().lines;
  }
  void TickUntilQuiet(LogRetention* retention, absl::Time now) {
    for (int i = 0; i < 20; ++i) retention->Tick(now + absl::Minutes(i));
  }

  MemoryJobStore store_;
  JobTable jobs_{&store_};
  std::set<std::string> known_;
  std::map<std::string, uint64_t> next_;
};

TEST_F(LogRetentionTest, OldLinesBecomeOneGapLineThatCountsThem) {
  LogRetention retention({.keep = absl::Hours(24)}, &store_, &jobs_);
  const std::string id = AddJob("a");
  Say(&retention, id, 5, kStart);
  Say(&retention, id, 2, kStart + absl::Hours(20));
  retention.Tick(kStart + absl::Hours(23));
  EXPECT_EQ(Lines(id).size(), 7u) << "none is old yet";
  TickUntilQuiet(&retention, kStart + absl::Hours(25));
  ASSERT_EQ(Lines(id).size(), 3u);
  EXPECT_EQ(Lines(id)[0].text,
            "gap: 5 lines (4680 bytes) before this one were removed: older than 24h");
  EXPECT_EQ(Lines(id)[0].cursor, 5u);
  EXPECT_THAT(Lines(id)[1].text, StartsWith("5 "));
  TickUntilQuiet(&retention, kStart + absl::Hours(50));
  ASSERT_EQ(Lines(id).size(), 1u) << "one line always records what was removed";
  EXPECT_THAT(Lines(id)[0].text, StartsWith("gap: 7 lines (6552 bytes)"));
  EXPECT_EQ(retention.bytes(), 0);
  EXPECT_EQ(retention.removed_bytes().at("age"), 7'000);
  Say(&retention, id, 1, kStart + absl::Hours(60));
  EXPECT_EQ(Lines(id)[1].cursor, 8u) << "cursors go on";
}

TEST_F(LogRetentionTest, AJobKeepsItsNewestLines) {
  LogRetention retention({.job_bytes_max = 10'000, .total_bytes_max = 0}, &store_, &jobs_);
  const std::string chatty = AddJob("a");
  const std::string quiet = AddJob("b");
  Say(&retention, chatty, 12, kStart);
  Say(&retention, quiet, 9, kStart);
  TickUntilQuiet(&retention, kStart);
  EXPECT_EQ(Lines(quiet).size(), 9u);
  ASSERT_EQ(Lines(chatty).size(), 10u) << "a gap line and nine thousand bytes";
  EXPECT_THAT(Lines(chatty)[0].text, HasSubstr("gap: 3 lines"));
  EXPECT_THAT(Lines(chatty)[0].text, HasSubstr("a job may keep 0 MiB"));
  EXPECT_THAT(Lines(chatty)[1].text, StartsWith("3 "));
}

TEST_F(LogRetentionTest, OfAllLogsThoseOfTheJobThatEndedFirstGoFirst) {
  LogRetention retention({.job_bytes_max = 0, .total_bytes_max = 30'000}, &store_, &jobs_);
  const std::string running = AddJob("a");
  const std::string later = AddJob("b");
  const std::string first = AddJob("c");
  for (const std::string& id : {running, later, first}) Say(&retention, id, 12, kStart);
  End(first, kStart + absl::Minutes(1));
  End(later, kStart + absl::Minutes(2));
  TickUntilQuiet(&retention, kStart + absl::Hours(1));
  EXPECT_EQ(Lines(first).size(), 1u + 3u) << "27,000 bytes are left in all";
  EXPECT_EQ(Lines(later).size(), 12u);
  Say(&retention, running, 20, kStart + absl::Hours(1));
  TickUntilQuiet(&retention, kStart + absl::Hours(2));
  EXPECT_EQ(Lines(first).size(), 1u);
  EXPECT_EQ(Lines(later).size(), 1u);
  EXPECT_EQ(Lines(running).size(), 1u + 27u) << "with no other job left, its own oldest";
  EXPECT_LE(retention.bytes(), 30'000);
}

TEST_F(LogRetentionTest, ARestartKnowsWhatIsStoredAndCountsAnOlderStore) {
  const std::string id = AddJob("a");
  {
    LogRetention retention({.job_bytes_max = 10'000}, &store_, &jobs_);
    Say(&retention, id, 12, kStart);
    TickUntilQuiet(&retention, kStart);
  }
  LogRetention again({.job_bytes_max = 10'000}, &store_, &jobs_);
  ASSERT_TRUE(again.Load().ok());
  EXPECT_EQ(again.bytes(), 9'000);
  Say(&again, id, 2, kStart);
  TickUntilQuiet(&again, kStart);
  EXPECT_THAT(Lines(id)[0].text, HasSubstr("gap: 5 lines")) << "it counts on";

  MemoryJobStore old;
  JobTable jobs(&old);
  (void)jobs.Create(MakeJob(""), {.request_id = "r", .digest = "", .job_id = "", .time = {}},
                    kStart);
  LineWrite write;
  write.sender = {{jobs.All()[0]->job_id, 1, 1}, "w1"};
  write.logs.push_back({1, 1, 0, LineStream::kStdout, 5, std::string(kTextBytes, 'y')});
  ASSERT_TRUE(old.PutLines(write).ok());
  LogRetention counted(LogLimits(), &old, &jobs);
  ASSERT_TRUE(counted.Load().ok());
  EXPECT_EQ(counted.bytes(), 1'000);
  EXPECT_EQ(old.LoadLogStocks().value().size(), 1u);
}

TEST_F(LogRetentionTest, LinesWithoutATimeDoNotLookOld) {
  LogRetention retention({.keep = absl::Hours(1)}, &store_, &jobs_);
  const std::string id = AddJob("a");
  Say(&retention, id, 2, absl::UnixEpoch());
  TickUntilQuiet(&retention, kStart);
  EXPECT_EQ(Lines(id).size(), 2u);
}

TEST_F(LogRetentionTest, ALargeCutIsSpreadOverTicks) {
  LogRetention retention({.keep = absl::Hours(1)}, &store_, &jobs_);
  const std::string id = AddJob("a");
  for (int i = 0; i < 5; ++i) Say(&retention, id, 1000, kStart);
  retention.Tick(kStart + absl::Hours(2));
  const int64_t left = retention.bytes();
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 5'000'000);
  retention.Tick(kStart + absl::Hours(2));
  EXPECT_EQ(retention.bytes(), 0) << "the next tick continues at once";
}

TEST_F(LogRetentionTest, AJobKeepsItsNewestHundredThousandEvents) {
  LogRetention retention({}, &store_, &jobs_);
  LineIntake intake(&store_, &jobs_, &retention);
  const std::string id = AddJob("a");
  EventBatch batch;
  batch.attempt = {id, 1, 1};
  batch.lines.resize(1000, {.rank = 0, .text = "{}"});
  for (uint64_t i = 0; i < 102; ++i) {
    batch.first_seq = i * 1000;
    ASSERT_TRUE(intake.AddEvents("w1", ParsedBatch(batch), kStart).ok());
  }
  const std::vector<EventLine> events = store_.ReadEvents(id, 0, 200'000).value();
  EXPECT_EQ(events.size(), 100'000u);
  EXPECT_EQ(events.back().cursor, 102'000u);
}

}  // namespace
}  // namespace fpo::coordinator
