#include "worker/core/reference/record_store.h"

#include <chrono>
#include <filesystem>
#include <string>

#include "common/reference/record_key.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_cache_link.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::FakeCacheLink;
using fpo::testing::FakeRecord;
using ::testing::ElementsAre;

class RecordStoreTest : public ::testing::Test {
 protected:
  RecordStoreTest() {
    list_.recipe.model_digest = ToHex(Sha256Of("model"));
    list_.recipe.forward = "gemma-1";
    list_.recipe.dtype = "float32";
    list_.recipe.device = "cpu";
    for (int i = 0; i < 10; ++i) list_.keys.push_back(Sha256Of("key " + std::to_string(i)));
    list_.manifest = ManifestId(RecipeId(list_.recipe), list_.keys);
    cache_.Store(list_.keys);
    EXPECT_TRUE(cache_
                    .PutManifest({.recipe = CanonicalRecipe(list_.recipe),
                                  .keys = list_.keys,
                                  .owner = "",
                                  .name = ""},
                                 {})
                    .ok());
  }
  absl::StatusOr<std::string> Pull() {
    return store_.Pull(list_, [&](int64_t count) { counts_.push_back(count); }, {});
  }
  // Makes the cache know this list, with its records.
  void Serve(const RecordList& list) {
    cache_.Store(list.keys);
    EXPECT_TRUE(cache_
                    .PutManifest({.recipe = CanonicalRecipe(list.recipe),
                                  .keys = list.keys,
                                  .owner = "",
                                  .name = ""},
                                 {})
                    .ok());
  }
  size_t Files() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_ / "records")) ++count;
    return count;
  }

  fpo::testing::TempFolder folder_;
  FakeCacheLink cache_;
  RecordStore store_{{.folder = folder_ / "records"}, &cache_};
  RecordList list_;
  std::vector<int64_t> counts_;
};

TEST_F(RecordStoreTest, PullsVerifiesAndFindsAgain) {
  EXPECT_EQ(store_.Find(list_).status().code(), absl::StatusCode::kNotFound);
  const auto path = Pull();
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_THAT(counts_, ElementsAre(4, 8, 10));
  const auto file = RecordFile::Open(*path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 10);
  EXPECT_EQ((*file)->At(7)->key, list_.keys[7]);
  EXPECT_EQ((*file)->At(7)->bytes, FakeRecord(list_.keys[7]).bytes);
  EXPECT_EQ(*store_.Find(list_), *path);
  EXPECT_EQ(Files(), 1u);
}

TEST_F(RecordStoreTest, ABrokenStreamGoesOnWhereItBroke) {
  cache_.broken_pulls = 2;
  ASSERT_TRUE(Pull().ok());
  EXPECT_THAT(cache_.pull_cursors(), ElementsAre(0, 4, 8));
}

TEST_F(RecordStoreTest, ADamagedFrameIsPulledAgain) {
  cache_.corrupt_frames = 1;
  const auto path = Pull();
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_THAT(cache_.pull_cursors(), ElementsAre(0, 4));
  EXPECT_EQ((*RecordFile::Open(*path))->size(), 10);
}

TEST_F(RecordStoreTest, ARecordOfAnotherKeyIsNeverTaken) {
  cache_.sends_foreign_record = true;
  RecordStore store({.folder = folder_ / "records", .broken_streams_max = 1}, &cache_);
  const auto path = store.Pull(list_, [](int64_t) {}, {});
  EXPECT_EQ(path.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(path.status().message().find("wrong key"), absl::string_view::npos);
  EXPECT_EQ(Files(), 0u);
}

TEST_F(RecordStoreTest, GivesUpOnAStreamThatBringsNothingAndLeavesNoFile) {
  cache_.unreachable_calls = 1000;
  RecordStore store({.folder = folder_ / "records", .broken_streams_max = 2}, &cache_);
  EXPECT_EQ(store.Pull(list_, [](int64_t) {}, {}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(cache_.unreachable_calls, 997);
  EXPECT_EQ(Files(), 0u);
}

TEST_F(RecordStoreTest, OnlyWhatNoLocalFileHasMoves) {
  ASSERT_TRUE(Pull().ok());
  RecordList more = list_;
  more.keys.insert(more.keys.begin() + 3, Sha256Of("new 1"));
  more.keys.push_back(Sha256Of("new 2"));
  more.keys.push_back(Sha256Of("new 3"));
  more.manifest = ManifestId(RecipeId(more.recipe), more.keys);
  Serve(more);
  const size_t before = cache_.pulled().size();
  cache_.records_per_frame = 1;
  cache_.broken_pulls = 2;  // and a broken stream asks only for the rest
  const auto path = store_.Pull(more, [&](int64_t count) { counts_.push_back(count); }, {});
  ASSERT_TRUE(path.ok()) << path.status();
  const std::vector<int64_t> pulled = cache_.pulled();
  EXPECT_THAT(std::vector<int64_t>(pulled.begin() + static_cast<long>(before), pulled.end()),
              ElementsAre(3, 11, 12));
  const auto file = RecordFile::Open(*path);
  ASSERT_TRUE(file.ok()) << file.status();
  for (size_t i = 0; i < more.keys.size(); ++i) {
    EXPECT_EQ(*(*file)->At(static_cast<int64_t>(i)), FakeRecord(more.keys[i]));
  }
}

TEST_F(RecordStoreTest, AnotherOrderOfLocalRecordsMovesNothing) {
  ASSERT_TRUE(Pull().ok());
  RecordList shuffled = list_;
  std::reverse(shuffled.keys.begin(), shuffled.keys.end());
  shuffled.keys.pop_back();
  shuffled.manifest = ManifestId(RecipeId(shuffled.recipe), shuffled.keys);
  Serve(shuffled);
  const size_t streams = cache_.pull_cursors().size();
  const auto path = store_.Pull(shuffled, [](int64_t) {}, {});
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(cache_.pull_cursors().size(), streams);
  EXPECT_EQ(*store_.Find(shuffled), *path);
}

TEST_F(RecordStoreTest, RecordsOfAnotherRecipeOrADamagedFileAreNotCopied) {
  const auto first = Pull();
  RecordList other = list_;
  other.recipe.dtype = "bfloat16";
  other.manifest = ManifestId(RecipeId(other.recipe), other.keys);
  Serve(other);
  ASSERT_TRUE(store_.Pull(other, [](int64_t) {}, {}).ok());
  EXPECT_EQ(cache_.pulled().size(), 20u) << "all of it";
  std::string bytes = fpo::testing::ReadWhole(*first);
  bytes[bytes.size() / 2] ^= 1;
  fpo::testing::WriteWhole(*first, bytes);
  RecordList shuffled = list_;
  std::reverse(shuffled.keys.begin(), shuffled.keys.end());
  shuffled.manifest = ManifestId(RecipeId(shuffled.recipe), shuffled.keys);
  Serve(shuffled);
  ASSERT_TRUE(store_.Pull(shuffled, [](int64_t) {}, {}).ok());
  EXPECT_EQ(cache_.pulled().size(), 30u);
  EXPECT_FALSE(fs::exists(*first)) << "damaged, so removed";
}

TEST_F(RecordStoreTest, AFileWithOtherKeysIsNotThisManifest) {
  const auto path = Pull();
  RecordList other = list_;
  std::swap(other.keys[0], other.keys[1]);
  EXPECT_FALSE(store_.Find(other).ok()) << "the id says one thing, the keys another";
}

TEST_F(RecordStoreTest, ADamagedFileIsNotUsed) {
  const auto path = Pull();
  ASSERT_TRUE(path.ok());
  fs::resize_file(*path, fs::file_size(*path) - 1);
  EXPECT_EQ(store_.Find(list_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(*path));
}

TEST_F(RecordStoreTest, OldFilesMakeRoomRecentOnesStay) {
  fs::create_directories(folder_ / "records");
  for (const char* name : {"records/old.fpr", "records/recent.fpr"}) {
    fpo::testing::WriteWhole(folder_ / name, std::string(1000, 'x'));
  }
  fs::last_write_time(folder_ / "records/old.fpr",
                      fs::file_time_type::clock::now() - std::chrono::hours(2));
  RecordStore store({.folder = folder_ / "records", .bytes_max = 100}, &cache_);
  ASSERT_TRUE(store.Pull(list_, [](int64_t) {}, {}).ok());
  EXPECT_FALSE(fs::exists(folder_ / "records/old.fpr"));
  EXPECT_TRUE(fs::exists(folder_ / "records/recent.fpr"));
}

}  // namespace
}  // namespace fpo::worker
