#include "train/rows/row_source.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/tables/golden_tables.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

std::string PutGzip(const ScratchFolder& folder, const std::string& name, const std::string& text) {
  const std::string path = folder / name;
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  return path;
}

// Every row as "line:text", or the error as the last entry.
std::vector<std::string> Rows(const std::string& path) {
  std::vector<std::string> rows;
  auto source = RowSource::Open(path);
  if (!source.ok()) return {std::string(source.status().message())};
  while (true) {
    auto row = (*source)->Next();
    if (!row.ok()) {
      rows.push_back("error " + std::string(row.status().message()));
      return rows;
    }
    if (!*row) return rows;
    rows.push_back(std::to_string((*row)->line) + ":" + (*row)->text);
  }
}

TEST(RowSourceTest, Lines) {
  ScratchFolder folder;
  const std::string text = "{\"a\":1}\n\n  \r\n{\"b\":2}\r\n{\"c\":3}";
  EXPECT_THAT(Rows(folder.Put("a.jsonl", text)),
              ElementsAre("1:{\"a\":1}", "4:{\"b\":2}", "5:{\"c\":3}"));
  EXPECT_THAT(Rows(PutGzip(folder, "a.jsonl.gz", text)),
              ElementsAre("1:{\"a\":1}", "4:{\"b\":2}", "5:{\"c\":3}"));
  EXPECT_THAT(Rows(folder.Put("bom.jsonl", "\xEF\xBB\xBF{}")), ElementsAre("1:{}"));
  EXPECT_THAT(Rows(folder.Put("empty.jsonl", "")), ElementsAre());
}

TEST(RowSourceTest, ArrayElements) {
  ScratchFolder folder;
  EXPECT_THAT(Rows(folder.Put("a.json", "[\n {\"a\":\"x,]\\\"}\"},\n {\"b\":[1,{}]}\n]\n")),
              ElementsAre("2:{\"a\":\"x,]\\\"}\"}", "3:{\"b\":[1,{}]}"));
  EXPECT_THAT(Rows(folder.Put("empty.json", "[]")), ElementsAre());
  const auto cut = Rows(folder.Put("cut.json", "[{\"a\":1},{\"b\""));
  ASSERT_EQ(cut.size(), 2u);
  EXPECT_TRUE(absl::StrContains(cut[1], "not closed")) << cut[1];
}

TEST(RowSourceTest, ASecondArrayIsNotLost) {
  ScratchFolder folder;
  const auto two = Rows(folder.Put("two.json", "[{\"a\":1}]\n  [{\"b\":2}]\n"));
  ASSERT_EQ(two.size(), 2u);
  EXPECT_TRUE(absl::StrContains(
      two[1], "two.json:2: another array begins at byte 3, behind the array that ends on line 1"))
      << two[1];
  const auto rest = Rows(folder.Put("rest.json", "[{\"a\":1}] trailing"));
  EXPECT_TRUE(absl::StrContains(rest.back(), "more text begins at byte 11")) << rest.back();
  EXPECT_THAT(Rows(folder.Put("one.json", "[1]\n \n")), ElementsAre("1:1"));
}

TEST(RowSourceTest, ARowOfAHundredMegabytesIsNamed) {
  ScratchFolder folder;
  const std::string big = "\"" + std::string(100 << 20, 'x') + "\"";
  for (const std::string& path :
       {folder.Put("a.jsonl", "1\n" + big + "\n"), folder.Put("a.json", "[1,\n" + big + "]")}) {
    const auto rows = Rows(path);
    EXPECT_TRUE(absl::StrContains(rows.back(), ":2: a row of more than 67108864 bytes"));
  }
}

TEST(RowSourceTest, DeepNestingIsOneRow) {
  ScratchFolder folder;
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  const auto rows = Rows(folder.Put("deep.json", "[{\"a\":" + deep + "}]"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].size(), deep.size() + 8);
}

TEST(RowSourceTest, LongRowsCrossBuffers) {
  ScratchFolder folder;
  const std::string big = "\"" + std::string(1 << 20, 'x') + "\"";
  const auto rows = Rows(PutGzip(folder, "a.jsonl.gz", big + "\n" + big + "\n1"));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1], "2:" + big);
}

TEST(RowSourceTest, TruncatedGzip) {
  ScratchFolder folder;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string path = PutGzip(folder, "a.jsonl.gz", text);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const auto rows = Rows(path);
  EXPECT_TRUE(absl::StrContains(rows.back(), "breaks off near line")) << rows.back();
  EXPECT_TRUE(absl::StrContains(rows.back(), "ends early")) << rows.back();
}

TEST(RowSourceTest, TheLineOfATablesRowIsItsNumber) {
  SKIP_WITHOUT_ARROW();
  const auto rows = Rows(GoldenTable("codec_zstd.parquet"));
  ASSERT_EQ(rows.size(), 50u);
  EXPECT_EQ(rows[24], R"(25:{"prompt":"question 24","chosen":" yes","rejected":" no"})");
}

TEST(RowSourceTest, WrongFiles) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::StrContains(Rows(folder.Put("a.parquet", "{}"))[0], "does not begin as"));
  EXPECT_TRUE(absl::StrContains(Rows(folder.Put("a.jsonl", "PAR1"))[0], "end in .parquet"));
  EXPECT_TRUE(absl::StrContains(Rows(folder.Put("a.tsv", "a\tb"))[0], "unknown ending"));
  EXPECT_TRUE(absl::IsNotFound(RowSource::Open(folder / "no.jsonl").status()));
}

TEST(RowSourceTest, SurvivesDamage) {
  ScratchFolder folder;
  const std::string path = PutGzip(folder, "a.json.gz", "[{\"a\": \"x\"}, {\"b\": [1, 2]}]");
  FuzzByMutation(Slurp(path), 1500,
                 [&](const std::string& bytes) { Rows(folder.Put("damaged.json.gz", bytes)); });
}

}  // namespace
}  // namespace fpo::train
