#include "worker/core/outbox/line_journal.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

Line Text(const std::string& text) {
  return {.rank = 1, .stream = LineStream::kStdout, .time_unix_ms = 5, .text = text};
}

class LineJournalTest : public ::testing::Test {
 protected:
  LineJournal Make() { return LineJournal(options_); }
  size_t Files() {
    std::error_code error;
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder, error)) {
      count += entry.is_regular_file();
    }
    return count;
  }

  fpo::testing::TempFolder folder_;
  LineJournal::Options options_{.folder = folder_ / "j", .file_bytes = 60, .keep_bytes = 0};
};

TEST_F(LineJournalTest, WhatWasAppendedIsThereForTheNextProcess) {
  {
    LineJournal journal = Make();
    for (uint64_t seq = 1; seq <= 9; ++seq)
      journal.Append(seq, Text("line " + std::to_string(seq)));
    journal.Append(10, Text("two\nlines"));
  }
  LineJournal journal = Make();
  const LineJournal::Recovered recovered = journal.Recover();
  EXPECT_EQ(recovered.first_seq, 1u);
  ASSERT_EQ(recovered.lines.size(), 10u);
  EXPECT_EQ(recovered.lines[3], Text("line 4"));
  EXPECT_EQ(recovered.lines[9], Text("two\nlines"));
  journal.Remove();
  EXPECT_EQ(Files(), 0u);
}

TEST_F(LineJournalTest, AcknowledgedFilesGo) {
  LineJournal journal = Make();
  for (uint64_t seq = 1; seq <= 20; ++seq) journal.Append(seq, Text("a line of some length"));
  const size_t before = Files();
  journal.Acknowledge(10);
  EXPECT_LT(Files(), before);
  LineJournal next = Make();
  const LineJournal::Recovered recovered = next.Recover();
  EXPECT_LE(recovered.first_seq, 11u);
  EXPECT_EQ(recovered.first_seq + recovered.lines.size(), 21u);
  journal.Acknowledge(20);
  EXPECT_EQ(Files(), 0u);
}

TEST_F(LineJournalTest, ATornLastLineIsLeftOut) {
  {
    LineJournal journal = Make();
    journal.Append(7, Text("whole"));
    journal.Append(8, Text("torn"));
  }
  const std::string path = options_.folder + "/log.journal-7";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 2);
  const LineJournal::Recovered recovered = Make().Recover();
  EXPECT_EQ(recovered.first_seq, 7u);
  EXPECT_EQ(recovered.lines, std::vector<Line>{Text("whole")});
}

TEST_F(LineJournalTest, TheOldestGoesBeyondTheLimit) {
  options_.bytes_max = 200;
  LineJournal journal = Make();
  for (uint64_t seq = 1; seq <= 50; ++seq) journal.Append(seq, Text("a line of some length"));
  EXPECT_LE(Files(), 5u);
  const LineJournal::Recovered recovered = Make().Recover();
  EXPECT_EQ(recovered.first_seq + recovered.lines.size(), 51u) << "the newest are there";
}

TEST_F(LineJournalTest, NothingIsNothing) {
  EXPECT_TRUE(Make().Recover().lines.empty());
  EXPECT_TRUE(DecodeLines("garbage\n").empty());
}

TEST_F(LineJournalTest, ADiskThatTakesNothingGetsNoFileForEachLine) {
  std::filesystem::create_directories(options_.folder);
  const auto full = [&](uint64_t seq) {
    const std::string path = options_.folder + "/log.journal-" + std::to_string(seq);
    std::filesystem::create_symlink("/dev/full", path);
  };
  LineJournal journal = Make();
  journal.Append(1, Text("kept"));
  for (uint64_t seq = 2; seq <= 9; ++seq) full(seq);
  journal.Append(2, Text(std::string(60, 'x')));  // fills the first file
  for (uint64_t seq = 3; seq <= 9; ++seq) journal.Append(seq, Text("lost"));
  EXPECT_EQ(std::filesystem::exists(options_.folder + "/log.journal-3"), false)
      << "an empty file is removed";
  EXPECT_TRUE(std::filesystem::is_symlink(options_.folder + "/log.journal-4"))
      << "and the next line does not try again";
  while (!std::filesystem::exists(options_.folder + "/log.journal-10")) {
    journal.Append(10, Text("again"));  // until it is time to try
  }
  for (uint64_t seq = 4; seq <= 9; ++seq) {
    std::filesystem::remove(options_.folder + "/log.journal-" + std::to_string(seq));
  }
  const LineJournal::Recovered recovered = Make().Recover();
  EXPECT_EQ(recovered.first_seq, 1u);
  EXPECT_EQ(recovered.lines.size(), 2u);
  EXPECT_EQ(recovered.lost, 8u);
}

}  // namespace
}  // namespace fpo::worker
