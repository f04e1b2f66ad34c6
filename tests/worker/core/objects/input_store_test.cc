#include "worker/core/objects/input_store.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/object_store/memory_objects.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InputStoreTest : public ::testing::Test {
 protected:
  InputStoreTest() {
    objects_.Set("model/config.json", "{}");
    objects_.Set("model/sub/w.safetensors", "weights");
    objects_.Set("model/", "");  // what some tools make of a folder
    objects_.Set("model-2/config.json", "{1}");
  }
  absl::StatusOr<StoredInput> Fetch(const std::string& key) {
    return store_.Fetch({"bucket", key}, [](int64_t, int64_t) {}, {});
  }

  fpo::testing::TempFolder folder_;
  fpo::testing::MemoryObjects objects_;
  InputStore store_{{.folder = folder_.path(), .bytes_max = 40}, &objects_};
};

TEST_F(InputStoreTest, AFolderIsWhatLiesBelowThePrefix) {
  const auto input = Fetch("model");
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(ReadWhole(input->path + "/config.json"), "{}");
  EXPECT_EQ(ReadWhole(input->path + "/sub/w.safetensors"), "weights");
  EXPECT_EQ(input->files, 2);
  EXPECT_EQ(input->bytes, 9);
  EXPECT_EQ(input->bytes_fetched, 9);
  EXPECT_EQ(Fetch("model")->bytes_fetched, 0);
}

TEST_F(InputStoreTest, TheSameContentIsOneInputWhereverItCameFrom) {
  objects_.Set("copy/config.json", "{}");
  objects_.Set("copy/sub/w.safetensors", "weights");
  const auto one = Fetch("model"), other = Fetch("copy");
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(one->content, other->content);
  EXPECT_EQ(one->path, other->path);
  EXPECT_NE(one->content, Fetch("model-2")->content);
}

TEST_F(InputStoreTest, AFileKeepsItsNameAndAPatternItsForm) {
  objects_.Set("data/a-1.jsonl", "1");
  objects_.Set("data/a-2.jsonl", "22");
  objects_.Set("data/b.jsonl", "3");
  objects_.Set("data/sub/a-3.jsonl", "4");
  const auto file = Fetch("data/b.jsonl");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(fs::path(file->path).filename(), "b.jsonl");
  EXPECT_EQ(ReadWhole(file->path), "3");
  const auto pattern = Fetch("data/a-*.jsonl");
  ASSERT_TRUE(pattern.ok()) << pattern.status();
  EXPECT_EQ(fs::path(pattern->path).filename(), "a-*.jsonl");
  EXPECT_EQ(pattern->files, 2);
  EXPECT_EQ(ReadWhole(fs::path(pattern->path).parent_path() / "a-2.jsonl"), "22");
}

TEST_F(InputStoreTest, WhatIsNotThereIsNamed) {
  for (const char* key : {"nothing", "model/config", "none-*.jsonl"}) {
    const auto input = Fetch(key);
    EXPECT_TRUE(absl::IsNotFound(input.status())) << input.status();
    EXPECT_THAT(std::string(input.status().message()),
                HasSubstr(std::string("s3://bucket/") + key));
  }
}

TEST_F(InputStoreTest, AKeyThatWouldLeaveTheFolderIsRefused) {
  objects_.Set("bad/../../x", "x");
  EXPECT_TRUE(absl::IsInvalidArgument(Fetch("bad").status()));
}

TEST_F(InputStoreTest, TheInputUsedLongestAgoMakesRoomUnlessItIsHeld) {
  objects_.Set("a/x", std::string(15, 'a'));
  objects_.Set("b/x", std::string(15, 'b'));
  objects_.Set("c/x", std::string(15, 'c'));
  auto a = Fetch("a");
  const std::string b = Fetch("b")->path;
  ASSERT_TRUE(a.ok());
  const auto c = Fetch("c");
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_TRUE(fs::exists(a->path)) << "older, but held";
  EXPECT_FALSE(fs::exists(b));
  const auto none = Fetch("b");
  EXPECT_TRUE(absl::IsResourceExhausted(none.status())) << none.status();
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("--inputs-max-mib"));
  a->hold.reset();
  EXPECT_TRUE(Fetch("b").ok());
  objects_.Set("large", std::string(41, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(Fetch("large").status()));
}

TEST_F(InputStoreTest, AnInputThatWasDamagedOnDiskIsMadeAnew) {
  const std::string path = Fetch("model")->path;
  fs::remove(path + "/config.json");
  EXPECT_EQ(ReadWhole(Fetch("model")->path + "/config.json"), "{}");
}

}  // namespace
}  // namespace fpo::worker
