#include "worker/core/outbox/line_box.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

Line LineOf(const std::string& text) {
  return {.rank = 0, .stream = LineStream::kStdout, .time_unix_ms = 1, .text = text};
}

TEST(LineBoxTest, TheStateAfterACallIsThatOfSpoolAndJournal) {
  const fpo::testing::TempFolder folder;
  LineBox box({.folder = folder.path(), .name = "log"});
  EXPECT_TRUE(box.state().empty());
  box.Append(LineOf("a"));
  const LineBox::State two = box.Append(LineOf("b"));
  EXPECT_EQ(two.first_seq, 1u);
  EXPECT_EQ(two.end_seq, 3u);
  LineBox::State after;
  EXPECT_EQ(box.Read(1, 1 << 20, &after).lines.size(), 2u);
  EXPECT_EQ(after.bytes, two.bytes);
  EXPECT_EQ(box.Acknowledge(1).first_seq, 2u);
  EXPECT_TRUE(box.Acknowledge(2).empty());
}

TEST(LineBoxTest, BeginsWithWhatAnEarlierAgentLeft) {
  const fpo::testing::TempFolder folder;
  {
    LineBox box({.folder = folder.path(), .name = "log"});
    box.Append(LineOf("a"));
    box.Append(LineOf("b"));
  }
  LineJournal journal({.folder = folder.path(), .name = "log"});
  LineJournal::Recovered left = journal.Recover();
  LineBox box({.folder = folder.path(), .name = "log"}, std::move(journal), std::move(left));
  EXPECT_EQ(box.state().end_seq, 3u);
  LineBox::State after;
  EXPECT_EQ(box.Read(1, 1 << 20, &after).lines.at(1).text, "b");
  box.Acknowledge(2);
  box.RemoveJournal();
  EXPECT_TRUE(LineJournal({.folder = folder.path(), .name = "log"}).Recover().lines.empty());
}

}  // namespace
}  // namespace fpo::worker
