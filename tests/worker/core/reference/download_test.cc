#include "worker/core/reference/download.h"

#include <filesystem>

#include "common/reference/record_key.h"
#include "gtest/gtest.h"
#include "tests/support/fake_cache_link.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using fpo::testing::FakeRecord;

class DownloadTest : public ::testing::Test {
 protected:
  DownloadTest() {
    list_.recipe.model_digest = ToHex(Sha256Of("model"));
    list_.recipe.forward = "gemma-1";
    list_.recipe.dtype = "float32";
    list_.recipe.device = "cpu";
    for (int i = 0; i < 6; ++i) list_.keys.push_back(Sha256Of(std::to_string(i)));
    list_.manifest = ManifestId(RecipeId(list_.recipe), list_.keys);
  }
  std::unique_ptr<RecordFileWriter> Writer(const std::string& name) const {
    return *RecordFileWriter::Create(folder_ / name, list_.recipe);
  }
  std::vector<std::unique_ptr<RecordFile>> Local(const std::vector<int>& ordinals) const {
    auto writer = Writer("local.fpr");
    for (const int i : ordinals) {
      EXPECT_TRUE(writer->Add(FakeRecord(list_.keys[static_cast<size_t>(i)])).ok());
    }
    EXPECT_TRUE(writer->Finish().ok());
    std::vector<std::unique_ptr<RecordFile>> files;
    files.push_back(*RecordFile::Open(folder_ / "local.fpr"));
    return files;
  }
  RecordFrame Frame(const std::vector<int>& ordinals) const {
    RecordFrame frame;
    frame.first_ordinal = ordinals.empty() ? 6 : ordinals[0];
    frame.count = static_cast<int64_t>(ordinals.size());
    for (const int i : ordinals) {
      AppendPacked(FakeRecord(list_.keys[static_cast<size_t>(i)]), &frame.packed);
    }
    return frame;
  }

  const fpo::testing::TempFolder folder_;
  RecordList list_;
};

TEST_F(DownloadTest, WeavesLocalAndStreamedRecordsInOrder) {
  Download download(list_, Local({0, 2, 5}), Writer("out.fpr"));
  ASSERT_TRUE(download.TakeLocal().ok());
  EXPECT_EQ(download.cursor(), 1);
  EXPECT_EQ(download.StartStream().ordinals, (std::vector<int64_t>{1, 3, 4}));
  ASSERT_TRUE(download.Take(Frame({1})).ok());
  EXPECT_EQ(download.cursor(), 3);
  EXPECT_TRUE(absl::IsUnavailable(download.CheckEnd()));
  const PullRequest rest = download.StartStream();
  EXPECT_EQ(rest.from_ordinal, 3);
  EXPECT_EQ(rest.ordinals, (std::vector<int64_t>{3, 4}));
  ASSERT_TRUE(download.Take(Frame({3, 4})).ok());
  EXPECT_TRUE(download.complete());
  ASSERT_TRUE(download.Write().ok());
  const auto file = RecordFile::Open(folder_ / "out.fpr");
  for (int i = 0; i < 6; ++i) EXPECT_EQ((*file)->KeyAt(i), list_.keys[static_cast<size_t>(i)]);
}

TEST_F(DownloadTest, RefusesWhatIsNotDue) {
  Download download(list_, {}, Writer("out.fpr"));
  EXPECT_TRUE(download.StartStream().ordinals.empty()) << "all of it";
  EXPECT_TRUE(absl::IsDataLoss(download.Take(Frame({1}))));
  EXPECT_TRUE(absl::IsDataLoss(download.Take(Frame({0, 2}))));
  EXPECT_EQ(download.cursor(), 1) << "the good one before it counts";
  RecordFrame flipped = Frame({1});
  flipped.packed.back() = static_cast<char>(flipped.packed.back() ^ 1);
  EXPECT_TRUE(absl::IsDataLoss(download.Take(flipped)));
  RecordFrame wrong_end = Frame({1});
  wrong_end.sha256_of_digests = Sha256Of("something else");
  EXPECT_TRUE(absl::IsDataLoss(download.Take(wrong_end)));
}

TEST_F(DownloadTest, AStreamAfterTheEndBringsOnlyItsDigest) {
  Download download(list_, Local({0, 1, 2, 3, 4, 5}), Writer("out.fpr"));
  ASSERT_TRUE(download.TakeLocal().ok());
  EXPECT_TRUE(download.complete());
  download.StartStream();
  RecordFrame end = Frame({});
  end.sha256_of_digests = Sha256Of("");
  EXPECT_TRUE(download.Take(end).ok());
  EXPECT_TRUE(absl::IsDataLoss(download.Take(Frame({0}))));
}

// F5: not "it is there already" at the second try.
TEST_F(DownloadTest, AFullDiskEndsItInItsOwnWords) {
  std::filesystem::create_symlink("/dev/full", folder_ / "out.fpr.part");
  list_.keys.clear();
  for (int i = 0; i < 4000; ++i) list_.keys.push_back(Sha256Of(std::to_string(i)));
  list_.manifest = ManifestId(RecipeId(list_.recipe), list_.keys);
  Download download(list_, {}, Writer("out.fpr"));
  absl::Status failed;
  for (int i = 0; i < 4000 && failed.ok(); ++i) failed = download.Take(Frame({i}));
  EXPECT_TRUE(absl::IsFailedPrecondition(failed)) << failed << ": the cache is not asked again";
  EXPECT_NE(failed.message().find("No space left on device"), std::string::npos) << failed;
  const absl::Status again = download.Take(Frame({static_cast<int>(download.cursor())}));
  EXPECT_EQ(again, failed) << "nor is half a record passed over";
}

}  // namespace
}  // namespace fpo::worker
