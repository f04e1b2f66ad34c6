#include "train/checkpoint/checkpoint_shard.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/inputs/weights/rank_files.h"
#include "tests/train/support/scratch_folder.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/formats/safetensors_directory.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

// 4 bytes a weight, 8 a moment; a scalar, an empty tensor and one that is not contiguous.
TensorMap Model() {
  return {{"a", at::arange(40, at::kFloat).view({5, 8})},
          {"b", at::arange(9, at::kFloat)},
          {"t", at::arange(6, at::kFloat).view({2, 3}).t()}};
}
TensorMap Moments() {
  return {{"a.m", at::arange(40, at::kDouble)},
          {"empty", at::empty({0, 4})},
          {"step", at::scalar_tensor(7, at::kLong)}};
}

int64_t BytesOf(const std::vector<TensorPiece>& pieces) {
  int64_t bytes = 0;
  for (const TensorPiece& piece : pieces) bytes += static_cast<int64_t>(piece.values.nbytes());
  return bytes;
}

class CheckpointShardTest : public ::testing::Test {
 protected:
  std::string Write(int64_t step, int64_t world) {
    const auto building = writer_.Begin(step);
    EXPECT_TRUE(building.ok()) << building.status();
    WrittenShards written = {step, world, {}, R"({"position": 12})", 0.25};
    for (int64_t rank = 0; rank < world; ++rank) {
      const auto files = WriteShard(
          {step, rank, world, CutForRank(Model(), rank, world), CutForRank(Moments(), rank, world)},
          *building);
      EXPECT_TRUE(files.ok()) << files.status();
      written.files.insert(written.files.end(), files->begin(), files->end());
    }
    const auto folder = writer_.Publish(written, *building);
    EXPECT_TRUE(folder.ok()) << folder.status();
    return folder.value_or("");
  }
  static std::string Loss(const std::string& folder) {
    const auto read = ReadCheckpoint(folder);
    EXPECT_TRUE(absl::IsDataLoss(read.status())) << read.status();
    return std::string(read.status().message());
  }
  const ScratchFolder folder_;
  CheckpointWriter writer_{folder_.path(), {.keep_last = 10}};
};

TEST_F(CheckpointShardTest, EveryElementIsInOneRankAndAllHaveAlikeMuch) {
  for (int64_t world = 1; world <= 70; world += world < 8 ? 1 : 31) {
    int64_t most = 0, sum = 0;
    std::map<std::string, int64_t> next;
    for (int64_t rank = 0; rank < world; ++rank) {
      const auto pieces = CutForRank(Model(), rank, world);
      most = std::max(most, BytesOf(pieces));
      sum += BytesOf(pieces);
      for (const TensorPiece& piece : pieces) {
        EXPECT_EQ(piece.begin, next[piece.name]) << "in the order of the ranks";
        next[piece.name] = piece.end;
      }
    }
    EXPECT_EQ(sum, 55 * 4);
    EXPECT_LE(most, 55 * 4 / world + 4);
  }
}

// Beyond 2^63 / world: no product of the two.
TEST_F(CheckpointShardTest, HugeTensorsAreCutWithoutOverflow) {
  const at::Tensor huge = at::empty({int64_t{1} << 31, int64_t{1} << 28},
                                    at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  int64_t next = 0;
  for (int64_t rank = 0; rank < 1000; ++rank) {
    const auto pieces = CutForRank({{"w", huge}}, rank, 1000);
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_EQ(pieces[0].begin, next);
    next = pieces[0].end;
  }
  EXPECT_EQ(next, int64_t{1} << 59);
}

TEST_F(CheckpointShardTest, ComesBackWholeAtAnyWorld) {
  for (const int64_t world : {2, 3, 5}) {
    const std::string folder = Write(world, world);
    const auto read = ReadCheckpoint(folder);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->info.step, world);
    EXPECT_EQ(read->world, world);
    EXPECT_EQ(read->info.score, 0.25);
    EXPECT_EQ(read->state_json, R"({"position": 12})");
    for (const auto& [name, tensor] : Model()) {
      EXPECT_TRUE(at::equal(*read->model.Tensor(name), tensor)) << name;
    }
    for (const auto& [name, tensor] : Moments()) {
      EXPECT_TRUE(at::equal(*read->optimizer.Tensor(name), tensor)) << name;
    }
  }
}

// A run may start from it, and its identity does not depend on who wrote it.
TEST_F(CheckpointShardTest, IsAFolderOfWeights) {
  const auto pieces = SafetensorsDirectory::Open(Write(1, 3));
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_TRUE(pieces->notes().empty());
  ASSERT_TRUE(writer_.Write({2, Model(), Moments(), "{}"}).ok());
  const auto whole = SafetensorsDirectory::Open(folder_ / "checkpoints/step-2");
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(*pieces->WeightsDigest(), *whole->WeightsDigest());
  EXPECT_EQ(pieces->Bytes(), whole->Bytes());
  EXPECT_EQ(pieces->Parameters(), 55);
  std::filesystem::remove(folder_ / "checkpoints/step-1/model-rank-2-of-3.safetensors");
  const auto torn = SafetensorsDirectory::Open(folder_ / "checkpoints/step-1");
  EXPECT_TRUE(absl::IsDataLoss(torn.status())) << torn.status();
}

TEST_F(CheckpointShardTest, LostAndForeignFilesAreNamed) {
  const std::string lost = Write(1, 2);
  std::filesystem::remove(lost + "/optimizer-rank-1-of-2.safetensors");
  EXPECT_THAT(Loss(lost), HasSubstr("optimizer-rank-1-of-2.safetensors is missing"));
  const std::string mixed = Write(2, 2), other = Write(3, 2);
  for (const char* name : {"model-rank-1-of-2.safetensors", "manifest.json"}) {
    std::filesystem::copy_file(other + "/" + name, mixed + "/" + name,
                               std::filesystem::copy_options::overwrite_existing);
  }
  EXPECT_THAT(Loss(mixed), HasSubstr("says step 3"));
  const std::string unlisted = Write(4, 2);
  std::string manifest = Slurp(unlisted + "/manifest.json");
  manifest.replace(manifest.find("\"world\": 2"), 10, "\"world\": 3");
  folder_.Put("checkpoints/step-4/manifest.json", manifest);
  EXPECT_THAT(Loss(unlisted), HasSubstr("-of-3.safetensors is not listed"));
}

// A rank that resumes reads, and verifies, the files that have something of its own.
TEST_F(CheckpointShardTest, OpenedItIsVerifiedWhereItIsRead) {
  const std::string folder = Write(1, 2);
  const std::string part = folder + "/model-rank-1-of-2.safetensors";
  std::string bytes = Slurp(part);
  bytes.back() ^= 1;
  folder_.Put("checkpoints/step-1/model-rank-1-of-2.safetensors", bytes);
  EXPECT_THAT(Loss(folder), HasSubstr(part));
  const auto opened = OpenCheckpoint(folder);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(at::equal(*opened->model.Range("a", 0, 20), at::arange(20, at::kFloat)));
  EXPECT_TRUE(opened->optimizer.Tensor("step").ok());
  const absl::Status damaged = opened->model.Tensor("t").status();
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_THAT(std::string(damaged.message()), HasSubstr(part));
  std::filesystem::resize_file(part, 20);
  EXPECT_TRUE(absl::IsDataLoss(OpenCheckpoint(folder).status())) << "sizes are all compared";
}

TEST_F(CheckpointShardTest, IsNotPublishedWithoutAFileOfARank) {
  const auto building = writer_.Begin(1);
  const auto files =
      WriteShard({1, 0, 2, CutForRank(Model(), 0, 2), CutForRank(Moments(), 0, 2)}, *building);
  WrittenShards written = {1, 2, *files, "{}", {}};
  written.files.push_back({"model-rank-1-of-2.safetensors", 100, {}});
  const auto published = writer_.Publish(written, *building);
  EXPECT_TRUE(absl::IsUnavailable(published.status()));
  EXPECT_THAT(std::string(published.status().message()), HasSubstr("all hosts of the job share"));
  EXPECT_TRUE(ListCheckpoints(folder_.path()).empty());
}

}  // namespace
}  // namespace fpo::train
