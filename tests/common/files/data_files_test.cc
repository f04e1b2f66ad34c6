#include "common/files/data_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(DataFilesTest, AFileAPatternOrAFolder) {
  const train::ScratchFolder folder;
  for (const char* name : {"d/b.jsonl", "d/a.json.zst", "d/c.ndjson.gz", "d/README.md",
                           "d/.x.jsonl", "d/dataset_info.json", "d/sub/e.jsonl"}) {
    folder.Put(name, "");
  }
  EXPECT_THAT(*ExpandDataFiles(folder / "d/b.jsonl"), ElementsAre(folder / "d/b.jsonl"));
  EXPECT_THAT(*ExpandDataFiles(folder / "none.jsonl"), ElementsAre(folder / "none.jsonl"));
  EXPECT_THAT(*ExpandDataFiles(folder / "d"),
              ElementsAre(folder / "d/a.json.zst", folder / "d/b.jsonl", folder / "d/c.ndjson.gz"));
  EXPECT_THAT(*ExpandDataFiles(folder / "d/[bc].*"),
              ElementsAre(folder / "d/b.jsonl", folder / "d/c.ndjson.gz"));
  EXPECT_THAT(*ExpandDataFiles(folder / "*/s*/*.jsonl"), ElementsAre(folder / "d/sub/e.jsonl"));
  EXPECT_TRUE(absl::IsNotFound(ExpandDataFiles(folder / "d/*.none").status()));
}

TEST(DataFilesTest, AMissingPartIsAnIncompleteCopy) {
  const train::ScratchFolder folder;
  for (const char* name : {"d/train-00000-of-00003.parquet", "d/train-00002-of-00003.parquet",
                           "d/x-of-9.jsonl", "d/one-of-a-kind.jsonl", "d/7-of-.jsonl"}) {
    folder.Put(name, "");
  }
  for (const char* entry : {"d", "d/train*", "d/*00002-of-*"}) {
    const auto files = ExpandDataFiles(folder / entry);
    EXPECT_TRUE(absl::IsInvalidArgument(files.status())) << entry;
    EXPECT_THAT(std::string(files.status().message()),
                HasSubstr("d/train-00001-of-00003.parquet is missing beside"));
  }
  for (const char* name : {"c/y-00001-of-00002.jsonl", "c/y-00002-of-00002.jsonl"}) {
    folder.Put(name, "");
  }
  EXPECT_EQ(ExpandDataFiles(folder / "c")->size(), 2u) << "numbered from 1";
  const std::string first = folder / "d/train-00000-of-00003.parquet";
  EXPECT_THAT(*ExpandDataFiles(first), ElementsAre(first)) << "named alone";
  folder.Put("d/train-00001-of-00003.parquet", "");
  EXPECT_EQ(ExpandDataFiles(folder / "d")->size(), 6u);
  EXPECT_THAT(*ExpandDataFiles(folder / "d/train-00000*"), ElementsAre(first)) << "a choice";
}

TEST(DataFilesTest, AFileWhoseNameIsAPatternIsItself) {
  const train::ScratchFolder folder;
  folder.Put("a[1].jsonl", "");
  EXPECT_FALSE(IsFilePattern(folder / "a[1].jsonl"));
  EXPECT_TRUE(IsFilePattern(folder / "a[2].jsonl"));
  EXPECT_THAT(*ExpandDataFiles(folder / "a[1].jsonl"), ElementsAre(folder / "a[1].jsonl"));
}

TEST(DataFilesTest, FoldersOfTheDatasetsLibrary) {
  const train::ScratchFolder folder;
  folder.Put("saved/state.json", R"({"_data_files": [{"filename": "b.arrow"}]})");
  folder.Put("saved/dataset_info.json", "{}");
  folder.Put("saved/a.arrow", "");
  folder.Put("saved/b.arrow", "");
  EXPECT_THAT(*ExpandDataFiles(folder / "saved"), ElementsAre(folder / "saved/b.arrow"));
  folder.Put("dict/dataset_dict.json", "{}");
  folder.Put("dict/train/state.json", "{}");
  EXPECT_THAT(std::string(ExpandDataFiles(folder / "dict").status().message()),
              HasSubstr("name one of them: " + (folder / "dict/train")));
  folder.Put("cache/x-train.arrow", "");
  folder.Put("cache/cache-0123.arrow", "");
  EXPECT_THAT(*ExpandDataFiles(folder / "cache"), ElementsAre(folder / "cache/x-train.arrow"));
}

TEST(DataFilesTest, FoldersThatWouldMislead) {
  const train::ScratchFolder folder;
  const auto why = [&](const char* name) {
    return std::string(ExpandDataFiles(folder / name).status().message());
  };
  folder.Put("two/train-00000.jsonl", "");
  folder.Put("two/test-00000.jsonl", "");
  EXPECT_THAT(why("two"), HasSubstr("files to train on and files to test on"));
  folder.Put("one/train-00000.jsonl", "");
  folder.Put("one/train-00001.jsonl", "");
  EXPECT_EQ(ExpandDataFiles(folder / "one")->size(), 2u);
  folder.Put("parquet/train-00000-of-00001.parquet", "");
  folder.Put("parquet/test-00000-of-00001.parquet", "");
  EXPECT_THAT(why("parquet"), HasSubstr("/parquet/train*.parquet"));
  folder.Put("empty/README.md", "");
  EXPECT_THAT(why("empty"), HasSubstr("holds no data file"));
}

}  // namespace
}  // namespace fpo
