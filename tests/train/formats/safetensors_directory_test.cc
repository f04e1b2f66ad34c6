#include "train/formats/safetensors_directory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/digest_cache.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

absl::string_view Message(const absl::StatusOr<SafetensorsDirectory>& result) {
  return result.status().message();
}

TEST(SafetensorsDirectoryTest, SingleFile) {
  ScratchFolder folder;
  ASSERT_TRUE(WriteShardedSafetensors(folder.path(), {{"a", at::ones({2, 3})}}).ok());
  const auto directory = SafetensorsDirectory::Open(folder.path());
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(directory->Parameters(), 6);
  EXPECT_EQ(directory->Entry("a")->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(absl::IsNotFound(directory->Tensor("b").status()));
}

TEST(SafetensorsDirectoryTest, NamesWhatIsMissing) {
  ScratchFolder folder;
  const TensorMap tensors = {{"a", at::ones({10})}, {"b", at::ones({10})}};
  ASSERT_TRUE(WriteShardedSafetensors(folder.path(), tensors, 40).ok());
  const std::string second = folder / "model-00002-of-00002.safetensors";
  ASSERT_TRUE(WriteSafetensors(second, {{"c", at::ones({10})}}).ok());
  const auto wrong = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::StrContains(Message(wrong), "lists tensor \"b\"")) << wrong.status();
  std::filesystem::remove(second);
  const auto gone = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::IsNotFound(gone.status()));
  EXPECT_TRUE(absl::StrContains(Message(gone), "model-00002-of-00002")) << gone.status();
}

TEST(SafetensorsDirectoryTest, ShardsOfTwoModelsAreRefused) {
  ScratchFolder folder;
  const TensorMap tensors = {{"a", at::ones({10})}, {"b", at::ones({10})}};
  ASSERT_TRUE(WriteShardedSafetensors(folder.path(), tensors, 40).ok());
  ASSERT_TRUE(WriteSafetensors(folder / "model-00002-of-00002.safetensors", tensors).ok());
  const auto both = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::IsDataLoss(both.status()));
  EXPECT_TRUE(absl::StrContains(Message(both), "tensor \"a\" is in both")) << both.status();
}

// transformers opens the files that the index names and takes all that is in them.
TEST(SafetensorsDirectoryTest, TensorsThatTheIndexLeavesOutAreThere) {
  ScratchFolder folder;
  const TensorMap tensors = {{"a", at::ones({10})}, {"b", at::ones({10})}};
  ASSERT_TRUE(WriteShardedSafetensors(folder.path(), tensors, 40).ok());
  const TensorMap more = {{"b", at::ones({10})}, {"c", at::ones({3})}};
  ASSERT_TRUE(WriteSafetensors(folder / "model-00002-of-00002.safetensors", more).ok());
  const auto directory = SafetensorsDirectory::Open(folder.path());
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(directory->Names(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(SafetensorsDirectoryTest, GitLfsPointersAreNamed) {
  ScratchFolder folder;
  folder.Put("model.safetensors",
             "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5228717512\n");
  const auto pointer = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::StrContains(Message(pointer), "git lfs pull")) << pointer.status();
}

TEST(SafetensorsDirectoryTest, PickleAndNothing) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::IsNotFound(SafetensorsDirectory::Open(folder / "no").status()));
  EXPECT_TRUE(absl::IsNotFound(SafetensorsDirectory::Open(folder.path()).status()));
  folder.Put("pytorch_model.bin", "x");
  const auto pickle = SafetensorsDirectory::Open(folder.path());
  EXPECT_TRUE(absl::StrContains(Message(pickle), "pickle")) << pickle.status();
}

TEST(SafetensorsDirectoryTest, IndexMustStayInItsFolder) {
  ScratchFolder folder;
  folder.Put("model.safetensors.index.json", R"({"weight_map": {"a": "../x.safetensors"}})");
  EXPECT_TRUE(absl::IsDataLoss(SafetensorsDirectory::Open(folder.path()).status()));
  folder.Put("model.safetensors.index.json", "{");
  EXPECT_TRUE(absl::IsDataLoss(SafetensorsDirectory::Open(folder.path()).status()));
}

// For it every file is old.
struct NextYear final : public Clock {
  absl::Time Now() const override { return absl::Now() + absl::Hours(24 * 365); }
};

// In one file and in shards: the kept digest is that of what is there now.
TEST(SafetensorsDirectoryTest, ADigestIsKeptForTheFilesAsTheyAre) {
  const ScratchFolder folder;
  const NextYear clock;
  SetProcessDigests(std::make_unique<const DigestCache>(folder / "cache", clock));
  for (const int64_t shard_bytes : {int64_t{1} << 30, int64_t{40}}) {
    const std::string model = folder / std::to_string(shard_bytes);
    std::filesystem::create_directories(model);
    const auto write = [&](double value) {
      const TensorMap tensors = {{"a", at::full({10}, value)}, {"b", at::ones({10})}};
      return WriteShardedSafetensors(model, tensors, shard_bytes);
    };
    const auto kept = [&] {
      const auto directory = SafetensorsDirectory::Open(model);
      EXPECT_TRUE(directory.ok()) << directory.status();
      const auto digest = directory->KeptWeightsDigest();
      EXPECT_EQ(*digest, *directory->WeightsDigest());
      return *digest;
    };
    ASSERT_TRUE(write(2).ok());
    const Digest first = kept();
    EXPECT_EQ(kept(), first);
    ASSERT_TRUE(write(3).ok());  // the same sizes
    EXPECT_NE(kept(), first);
  }
  size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cache")) {
    entries += entry.exists() ? 1 : 0;
  }
  EXPECT_EQ(entries, 2u);
  SetProcessDigests(nullptr);
}

TEST(SafetensorsDirectoryTest, DigestSeesNamesTypesShapesAndValues) {
  ScratchFolder folder;
  const auto digest = [&](const TensorMap& tensors) {
    EXPECT_TRUE(WriteShardedSafetensors(folder.path(), tensors).ok());
    return *SafetensorsDirectory::Open(folder.path())->WeightsDigest();
  };
  const Digest base = digest({{"a", at::ones({2, 2})}});
  EXPECT_EQ(base, digest({{"a", at::ones({2, 2})}}));
  EXPECT_NE(base, digest({{"b", at::ones({2, 2})}}));
  EXPECT_NE(base, digest({{"a", at::ones({4, 1})}}));
  EXPECT_NE(base, digest({{"a", at::ones({2, 2}) + 1e-6}}));
  EXPECT_NE(base, digest({{"a", at::ones({2, 2}).to(at::kInt)}}));
}

// Memory of this process that no file backs: what the kernel cannot take back.
int64_t OwnBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return std::stoll(line.substr(8)) << 10;
  }
  return 0;
}

// A rank that keeps an eighth of each tensor has an eighth of the folder in memory, however large
// that is: the rest of what it reads are pages of the files, which all ranks of a host share.
TEST(SafetensorsDirectoryTest, ARankThatKeepsAPartHoldsNoMore) {
  constexpr int64_t kMiB = 1 << 20, kRanks = 8;
  std::vector<int64_t> held;
  for (const int64_t mib : {64, 256}) {
    ScratchFolder folder;
    LazyTensors weights;
    for (int64_t i = 0; i < 8; ++i) {
      const auto make = [mib]() -> absl::StatusOr<at::Tensor> {
        return at::ones({mib, kMiB / 16}, at::kBFloat16);
      };
      weights["w" + std::to_string(i)] = {at::kBFloat16, {mib, kMiB / 16}, make};
    }
    ASSERT_TRUE(WriteShardedSafetensors(folder.path(), weights, 100 * kMiB).ok());
    const int64_t before = OwnBytes();
    if (before == 0) GTEST_SKIP() << "/proc/self/status does not say RssAnon";
    const auto directory = SafetensorsDirectory::Open(folder.path());
    ASSERT_TRUE(directory.ok()) << directory.status();
    ASSERT_TRUE(directory->WeightsDigest().ok());
    std::vector<at::Tensor> kept;
    for (const std::string& name : directory->Names()) {
      const int64_t part = directory->Entry(name)->Elements() / kRanks;
      const auto range = directory->Range(name, 3 * part, 4 * part);
      ASSERT_TRUE(range.ok()) << range.status();
      kept.push_back(range->clone());
    }
    held.push_back(OwnBytes() - before);
    std::cout << "folder of " << mib << " MiB, an eighth kept: " << held.back() / kMiB
              << " MiB of memory" << std::endl;
    EXPECT_LE(held.back(), mib * kMiB / kRanks + 4 * kMiB);
  }
}

}  // namespace
}  // namespace fpo::train
