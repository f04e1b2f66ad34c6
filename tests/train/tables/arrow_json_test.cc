#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/train/tables/golden_tables.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

// The rows of a file, and those that pyarrow read from it.
void ExpectGoldenRows(const std::string& file, const std::string& golden) {
  const std::vector<std::string> rows = ReadTableRows(GoldenTable(file));
  std::ifstream expected(GoldenTable(golden));
  size_t count = 0;
  for (std::string line; std::getline(expected, line); ++count) {
    ASSERT_LT(count, rows.size()) << file;
    const Json row = Json::parse(rows[count], nullptr, /*allow_exceptions=*/false);
    EXPECT_EQ(row, Json::parse(line)) << file << " row " << count << ": " << rows[count];
  }
  EXPECT_EQ(rows.size(), count) << file << ": " << rows.back();
  EXPECT_GT(count, 0u) << golden;
}

TEST(ArrowJsonTest, EveryTypeIsAsInALineOfJson) {
  SKIP_WITHOUT_ARROW();
  ExpectGoldenRows("types.parquet", "types.jsonl");
  ExpectGoldenRows("types_stream.arrow", "types_stream.jsonl");
  ExpectGoldenRows("types_file.arrow", "types_file.jsonl");
}

TEST(ArrowJsonTest, RowGroupsCodecsAndShards) {
  SKIP_WITHOUT_ARROW();
  ExpectGoldenRows("ultrafeedback.parquet", "ultrafeedback.jsonl");
  for (const char* codec : {"none", "snappy", "gzip", "brotli", "zstd", "lz4"}) {
    ExpectGoldenRows(std::string("codec_") + codec + ".parquet", "codec.jsonl");
  }
  ExpectGoldenRows("saved_dict/train/data-00000-of-00001.arrow", "saved_dict_train.jsonl");
}

TEST(ArrowJsonTest, WholeRealNumbersAreNoIntegers) {
  SKIP_WITHOUT_ARROW();
  const auto rows = ReadTableRows(GoldenTable("ids_as_reals.parquet"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0], R"({"prompt_ids":[2.0,5.0],"chosen_ids":[7.0,1.0],"rejected_ids":[9.0,1.0]})");
}

}  // namespace
}  // namespace fpo::train
