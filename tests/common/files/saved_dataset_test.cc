#include "common/files/saved_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kTwoFiles[] =
    R"({"_data_files": [{"filename": "b.arrow"}, {"filename": "a.arrow"}], "_split": "train"})";

class SavedDatasetTest : public ::testing::Test {
 protected:
  std::string Why(const std::string& name) const {
    return SavedDatasetFiles(folder_ / name).status().ToString();
  }
  const train::ScratchFolder folder_;
};

TEST_F(SavedDatasetTest, FilesAreInTheOrderOfTheState) {
  folder_.Put("d/state.json", kTwoFiles);
  folder_.Put("d/a.arrow", "");
  folder_.Put("d/b.arrow", "");
  folder_.Put("d/cache-1.arrow", "");
  EXPECT_THAT(**SavedDatasetFiles(folder_ / "d"),
              ElementsAre(folder_ / "d/b.arrow", folder_ / "d/a.arrow"));
}

TEST_F(SavedDatasetTest, OtherFoldersAreNone) {
  folder_.Put("other/state.json", R"({"step": 3})");
  folder_.Put("plain/a.arrow", "");
  EXPECT_FALSE(SavedDatasetFiles(folder_ / "other")->has_value());
  EXPECT_FALSE(SavedDatasetFiles(folder_ / "plain")->has_value());
  EXPECT_FALSE(SavedDatasetFiles(folder_ / "absent")->has_value());
}

TEST_F(SavedDatasetTest, SplitsHaveToBeNamed) {
  folder_.Put("dict/dataset_dict.json", R"({"splits": ["train", "test"]})");
  folder_.Put("dict/train/state.json", kTwoFiles);
  folder_.Put("dict/test/state.json", kTwoFiles);
  EXPECT_THAT(Why("dict"),
              AllOf(HasSubstr("INVALID_ARGUMENT"),
                    HasSubstr(folder_ / "dict/test" + ", " + (folder_ / "dict/train"))));
  folder_.Put("empty/dataset_dict.json", "{}");
  EXPECT_THAT(Why("empty"), HasSubstr("an incomplete copy?"));
}

TEST_F(SavedDatasetTest, WhatCannotBeRead) {
  folder_.Put("absent/state.json", kTwoFiles);
  folder_.Put("absent/b.arrow", "");
  EXPECT_THAT(Why("absent"),
              AllOf(HasSubstr("NOT_FOUND"), HasSubstr("absent/a.arrow"), HasSubstr("incomplete")));
  folder_.Put("outside/state.json", R"({"_data_files": [{"filename": "../a.arrow"}]})");
  EXPECT_THAT(Why("outside"), HasSubstr("names \"../a.arrow\""));
  folder_.Put("selected/state.json",
              R"({"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]})");
  EXPECT_THAT(Why("selected"), HasSubstr("flatten_indices"));
  folder_.Put("none/state.json", R"({"_data_files": []})");
  EXPECT_THAT(Why("none"), HasSubstr("without rows"));
  folder_.Put("broken/state.json", "{");
  EXPECT_THAT(Why("broken"), HasSubstr("broken/state.json"));
}

}  // namespace
}  // namespace fpo
