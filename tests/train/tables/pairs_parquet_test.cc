#include "train/tables/pairs_parquet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/tables/golden_tables.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PairsParquet, RowsComeBackWithTheirTypes) {
  SKIP_WITHOUT_ARROW();
  const ScratchFolder folder;
  const std::string path = folder.Put(
      "step-3.jsonl", R"({"index":0,"id":"a \"name\" ☃","loss":0.1,"tokens/chosen":3.0})"
                      "\n"
                      R"({"index":9007199254740993,"loss":null,"tokens/chosen":1,"none":null})"
                      "\n");
  const absl::Status status = WriteParquetBeside(path);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(
      ReadTableRows(folder / "step-3.parquet"),
      ElementsAre(
          R"({"index":0,"id":"a \"name\" ☃","loss":0.1,"tokens/chosen":3.0,"none":null})",
          R"({"index":9007199254740993,"id":null,"loss":null,"tokens/chosen":1.0,"none":null})"));
}

TEST(PairsParquet, WhatFitsNoColumnIsNamedAndNothingIsWritten) {
  SKIP_WITHOUT_ARROW();
  const ScratchFolder folder;
  const auto message = [&](const std::string& text) {
    return std::string(WriteParquetBeside(folder.Put("x.jsonl", text)).message());
  };
  EXPECT_THAT(message("{\"a\":1}\n{\"a\":\"text\"}\n"), HasSubstr("x.jsonl, line 2: the field a"));
  EXPECT_THAT(message("{\"a\":[1]}\n"), HasSubstr("line 1: the field a"));
  EXPECT_THAT(message("{\"a\":1}\n{\"a\""), HasSubstr("line 2: not a JSON object"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x.parquet"));
}

TEST(PairsParquet, WithoutTheLibraryTheErrorSaysWhatToDo) {
  const ScratchFolder folder;
  const absl::Status status = CheckParquet(folder.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("leave out --parquet"));
}

}  // namespace
}  // namespace fpo::train
