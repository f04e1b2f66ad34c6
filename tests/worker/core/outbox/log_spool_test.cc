#include "worker/core/outbox/log_spool.h"

#include <filesystem>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using fpo::testing::TempFolder;

class LogSpoolTest : public ::testing::Test {
 protected:
  LogSpool::Options Small(size_t total = 1 << 20) {
    return {.folder = folder_ / "spool",
            .name = "log",
            .memory_bytes_max = 500,
            .segment_bytes = 300,
            .total_bytes_max = total};
  }
  static Line MakeLine(int number) {
    return {.rank = 1,
            .stream = LineStream::kStdout,
            .time_unix_ms = 5,
            .text = "line " + std::to_string(number)};
  }
  static void Fill(LogSpool* spool, int first, int last) {
    for (int i = first; i <= last; ++i) spool->Append(MakeLine(i));
  }
  size_t Files() const {
    size_t count = 0;
    std::error_code error;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(folder_ / "spool", error)) {
      ++count;
    }
    return count;
  }
  // Reads to the end as a session does; every batch must begin where the one before ended.
  static std::vector<std::string> ReadAll(LogSpool* spool, uint64_t from, size_t bytes = 200) {
    std::vector<std::string> texts;
    while (from < spool->end_seq()) {
      const SpoolRead batch = spool->Read(from, bytes);
      EXPECT_EQ(batch.first_seq, from);
      EXPECT_FALSE(batch.lines.empty());
      for (const Line& line : batch.lines) texts.push_back(line.text);
      from = batch.next_seq;
    }
    return texts;
  }
  static std::vector<std::string> Texts(int first, int last) {
    std::vector<std::string> texts;
    for (int i = first; i <= last; ++i) texts.push_back("line " + std::to_string(i));
    return texts;
  }

  TempFolder folder_;
};

TEST_F(LogSpoolTest, GivesBackEveryLineInOrderFromMemoryFilesAndTail) {
  LogSpool spool(Small());
  Fill(&spool, 1, 100);
  EXPECT_GT(Files(), 3u);
  EXPECT_EQ(ReadAll(&spool, 1), Texts(1, 100));
  EXPECT_EQ(ReadAll(&spool, 57), Texts(57, 100));
  EXPECT_EQ(spool.Read(1, 10).lines.front(), MakeLine(1));
  EXPECT_EQ(spool.Read(50, 10).lines.front(), MakeLine(50));
}

TEST_F(LogSpoolTest, KeepsTextWithNewlinesAndEmptyStreams) {
  LogSpool spool(Small());
  Fill(&spool, 1, 20);
  const Line odd{.rank = -1, .stream = {}, .time_unix_ms = 9, .text = "a\nb\n"};
  spool.Append(odd);
  Fill(&spool, 22, 60);
  EXPECT_EQ(spool.Read(21, 1).lines.front(), odd);
}

TEST_F(LogSpoolTest, ForgetsWhatIsAcknowledgedAndItsFiles) {
  LogSpool spool(Small());
  Fill(&spool, 1, 100);
  for (uint64_t seq : {3, 30, 31, 77, 99}) {
    spool.Acknowledge(seq);
    EXPECT_LE(spool.first_seq(), seq + 1);
    EXPECT_EQ(ReadAll(&spool, seq + 1), Texts(static_cast<int>(seq) + 1, 100));
  }
  spool.Acknowledge(100);
  EXPECT_TRUE(spool.empty());
  EXPECT_EQ(spool.bytes(), 0u);
  EXPECT_EQ(Files(), 0u);
  Fill(&spool, 101, 102);
  EXPECT_EQ(ReadAll(&spool, spool.first_seq()), Texts(101, 102));
}

TEST_F(LogSpoolTest, SaysWhatItDroppedOverTheLimit) {
  LogSpool spool(Small(/*total=*/2000));
  Fill(&spool, 1, 200);
  EXPECT_LE(spool.bytes(), 2400u);
  EXPECT_GT(spool.gap_bytes(), 5000u);
  const std::vector<std::string> texts = ReadAll(&spool, 1);
  size_t gaps = 0;
  for (const std::string& text : texts) gaps += text.rfind("gap: ", 0) == 0 ? 1 : 0;
  EXPECT_EQ(gaps, 1u);
  EXPECT_EQ(texts.front(), "line 1");
  EXPECT_EQ(texts.back(), "line 200");
  spool.Acknowledge(200);
  EXPECT_TRUE(spool.empty());
}

TEST_F(LogSpoolTest, AGapAtTheEndIsAcknowledgedByItsOneLine) {
  fpo::testing::WriteWhole(folder_ / "spool", "a file where the folder should be");
  LogSpool spool(Small());
  Fill(&spool, 1, 20);
  while (spool.bytes() > 500) spool.Append(MakeLine(0));  // until the tail was flushed, in vain
  uint64_t last = 0;
  for (uint64_t from = 1; from < spool.end_seq();) {
    const SpoolRead batch = spool.Read(from, 100);
    last = batch.first_seq + batch.lines.size() - 1;
    from = batch.next_seq;
  }
  EXPECT_LT(last, spool.end_seq() - 1) << "the last batch is the gap";
  spool.Acknowledge(last);
  EXPECT_TRUE(spool.empty());
}

TEST_F(LogSpoolTest, AnUnreadableFileBecomesAGap) {
  LogSpool spool(Small());
  Fill(&spool, 1, 100);
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "spool")) {
    std::filesystem::resize_file(entry.path(), 30);
  }
  const std::vector<std::string> texts = ReadAll(&spool, 1);
  EXPECT_NE(texts[12].find("cannot be read"), std::string::npos) << texts[12];
  EXPECT_EQ(texts.back(), "line 100");
}

TEST_F(LogSpoolTest, LeavesNoFiles) {
  {
    LogSpool spool(Small());
    Fill(&spool, 1, 100);
  }
  EXPECT_EQ(Files(), 0u);
}

}  // namespace
}  // namespace fpo::worker
