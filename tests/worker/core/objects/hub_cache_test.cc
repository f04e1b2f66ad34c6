#include "worker/core/objects/hub_cache.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

constexpr char kCommit[] = "0123456789abcdef0123456789abcdef01234567";

class HubCacheTest : public ::testing::Test {
 protected:
  HubCacheTest() {
    for (const char* folder : {"blobs", "refs/pr", "snapshots"}) {
      fs::create_directories(repository_ + "/" + folder);
    }
    fs::create_directories(snapshot_ + "/sub");
    WriteWhole(repository_ + "/refs/main", std::string(kCommit) + "\n");
    WriteWhole(repository_ + "/blobs/b1", "{}");
    fs::create_symlink("../../blobs/b1", snapshot_ + "/config.json");
    fs::create_symlink("../../../blobs/b1", snapshot_ + "/sub/params.npz");
  }
  absl::StatusOr<HubSnapshot> Find(const std::string& url) const {
    return FindHubSnapshot(cache_.path(), *ParseHubUrl(url));
  }
  std::string Failure(const std::string& url) const {
    return std::string(Find(url).status().message());
  }

  fpo::testing::TempFolder cache_;
  const std::string repository_ = cache_ / "models--org--name";
  const std::string snapshot_ = repository_ + "/snapshots/" + kCommit;
};

TEST_F(HubCacheTest, ABranchATagAndACommitLeadToTheSnapshot) {
  for (const std::string& url :
       {std::string("hf://org/name"), "hf://org/name@" + std::string(kCommit)}) {
    const auto found = Find(url);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->commit, kCommit);
    EXPECT_EQ(ReadWhole(found->path + "/config.json"), "{}");
  }
  const auto file = Find("hf://org/name/sub/params.npz");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(ReadWhole(file->path), "{}");
}

TEST_F(HubCacheTest, WhatIsAbsentIsNamedWithTheCommandThatFetchesIt) {
  EXPECT_TRUE(absl::IsNotFound(Find("hf://org/other").status()));
  EXPECT_THAT(Failure("hf://org/other"),
              HasSubstr("HF_HUB_CACHE=" + cache_.path() + " hf download org/other"));
  EXPECT_THAT(Failure("hf://org/name@v2"), HasSubstr("hf download org/name --revision v2"));
  EXPECT_THAT(Failure("hf://org/name/absent"), HasSubstr("has no absent"));
  EXPECT_THAT(Failure("hf://datasets/org/name"), HasSubstr("--repo-type dataset"));
}

TEST_F(HubCacheTest, AHalfDownloadedRepositoryIsNotUsed) {
  WriteWhole(repository_ + "/blobs/b2.incomplete", "");
  EXPECT_TRUE(absl::IsFailedPrecondition(Find("hf://org/name").status()));
  EXPECT_THAT(Failure("hf://org/name"), HasSubstr("is not complete (blobs/b2.incomplete)"));
  fs::remove(repository_ + "/blobs/b2.incomplete");
  fs::create_symlink("../../blobs/b3", snapshot_ + "/model.safetensors");
  EXPECT_TRUE(absl::IsFailedPrecondition(Find("hf://org/name").status()));
  EXPECT_THAT(Failure("hf://org/name"), HasSubstr("leads to nothing"));
}

TEST_F(HubCacheTest, NoLinkLeadsOut) {
  WriteWhole(cache_ / "secret", "");
  fs::create_symlink("../../../secret", snapshot_ + "/secret");
  EXPECT_TRUE(absl::IsPermissionDenied(Find("hf://org/name").status())) << Failure("hf://org/name");
  EXPECT_TRUE(Find("hf://org/name/sub").ok()) << "what is not asked for does not count";
  WriteWhole(repository_ + "/refs/other", "../../..");
  EXPECT_FALSE(Find("hf://org/name@other").ok());
}

TEST(HubCacheFolder, IsThatOfTheLibraries) {
  EXPECT_EQ(HubCacheOf({"HOME=/h"}), "/h/.cache/huggingface/hub");
  EXPECT_EQ(HubCacheOf({"HOME=/h", "XDG_CACHE_HOME=/x"}), "/x/huggingface/hub");
  EXPECT_EQ(HubCacheOf({"HOME=/h", "XDG_CACHE_HOME=/x", "HF_HOME=/f"}), "/f/hub");
  EXPECT_EQ(HubCacheOf({"HF_HOME=/f", "HF_HUB_CACHE=/c"}), "/c");
}

}  // namespace
}  // namespace fpo::worker
