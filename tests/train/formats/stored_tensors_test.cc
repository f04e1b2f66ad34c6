#include "train/formats/stored_tensors.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "train/formats/piece_file.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StoredTensorsTest : public ::testing::Test {
 protected:
  // One file a rank; of `a` [3, 4] each has the runs that `cuts` says, as {begin, end}.
  std::vector<std::string> Files(const std::vector<std::pair<int64_t, int64_t>>& cuts) const {
    const auto world = static_cast<int64_t>(cuts.size());
    std::vector<std::string> paths;
    for (int64_t rank = 0; rank < world; ++rank) {
      const auto [begin, end] = cuts[static_cast<size_t>(rank)];
      paths.push_back(Put(rank, world, {{"a", {3, 4}, begin, end, Row(begin, end)}}));
    }
    return paths;
  }
  std::string Put(int64_t rank, int64_t world, const std::vector<TensorPiece>& pieces,
                  const std::string& set = "step 1") const {
    const std::string path = folder_ / ("rank-" + std::to_string(rank));
    EXPECT_TRUE(WritePieces(path, {rank, world, set}, pieces).ok());
    return path;
  }
  at::Tensor Row(int64_t begin, int64_t end) const { return whole_.view(-1).slice(0, begin, end); }
  static std::string Loss(const absl::StatusOr<StoredTensors>& opened) {
    EXPECT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
    return std::string(opened.status().message());
  }
  const ScratchFolder folder_;
  const at::Tensor whole_ = at::arange(12, at::kFloat).view({3, 4});
};

TEST_F(StoredTensorsTest, PiecesGiveTheWhole) {
  for (const auto& cuts : std::vector<std::vector<std::pair<int64_t, int64_t>>>{
           {{0, 12}}, {{0, 5}, {5, 12}}, {{7, 12}, {0, 1}, {1, 7}}}) {
    const auto tensors = StoredTensors::OpenPieces(Files(cuts));
    ASSERT_TRUE(tensors.ok()) << tensors.status();
    EXPECT_THAT(tensors->Names(), ElementsAre("a"));
    EXPECT_TRUE(at::equal(*tensors->Tensor("a"), whole_));
    EXPECT_EQ(tensors->Entry("a")->shape, (std::vector<int64_t>{3, 4}));
    EXPECT_EQ(tensors->Entry("a")->end, 48);
    for (int64_t begin = 0; begin <= 12; ++begin) {
      for (int64_t end = begin; end <= 12; ++end) {
        EXPECT_TRUE(at::equal(*tensors->Range("a", begin, end), Row(begin, end)));
      }
    }
    EXPECT_TRUE(absl::IsInvalidArgument(tensors->Range("a", 3, 13).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(tensors->Range("a", -1, 3).status()));
    EXPECT_TRUE(absl::IsNotFound(tensors->Tensor("b").status()));
    EXPECT_TRUE(tensors->CheckUnchanged().ok());
  }
}

// What is mapped is not copied: a rank that keeps a part of a tensor reads no more of it.
TEST_F(StoredTensorsTest, ARangeOfOneFileIsAView) {
  const auto tensors = StoredTensors::OpenPieces(Files({{0, 5}, {5, 12}}));
  const at::Tensor one = *tensors->Range("a", 6, 9), again = *tensors->Range("a", 6, 9);
  EXPECT_EQ(one.const_data_ptr(), again.const_data_ptr());
  const at::Tensor both = *tensors->Range("a", 4, 6), copy = *tensors->Range("a", 4, 6);
  EXPECT_NE(both.const_data_ptr(), copy.const_data_ptr());
}

TEST_F(StoredTensorsTest, ScalarsAndEmptyTensorsHaveAPlace) {
  const auto first = Put(
      0, 2,
      {{"step", {}, 0, 1, at::full({1}, 9, at::kLong)}, {"none", {0, 3}, 0, 0, at::empty({0})}});
  const auto tensors = StoredTensors::OpenPieces({first, Put(1, 2, {})});
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ(tensors->Tensor("step")->item<int64_t>(), 9);
  EXPECT_EQ(tensors->Tensor("none")->sizes(), (std::vector<int64_t>{0, 3}));
}

TEST_F(StoredTensorsTest, GapsAndOverlapsAreNamed) {
  EXPECT_THAT(Loss(StoredTensors::OpenPieces(Files({{0, 5}, {6, 12}}))),
              HasSubstr("\"a\" of 12 elements is not whole: those from 5 on are missing"));
  EXPECT_THAT(Loss(StoredTensors::OpenPieces(Files({{1, 5}, {5, 12}}))),
              HasSubstr("those from 0 on are missing"));
  EXPECT_THAT(Loss(StoredTensors::OpenPieces(Files({{0, 5}, {5, 11}}))),
              HasSubstr("those from 11 on are missing"));
  EXPECT_THAT(Loss(StoredTensors::OpenPieces(Files({{0, 7}, {5, 12}}))),
              HasSubstr("elements 5 to 7 of tensor \"a\" are in both " + (folder_ / "rank-0")));
  EXPECT_THAT(Loss(StoredTensors::OpenPieces(Files({{0, 12}, {3, 4}}))),
              HasSubstr("elements 3 to 4"));
}

TEST_F(StoredTensorsTest, FilesOfAnotherRankWorldOrSetAreNamed) {
  std::vector<std::string> paths = Files({{0, 5}, {5, 12}});
  std::swap(paths[0], paths[1]);
  EXPECT_THAT(Loss(StoredTensors::OpenPieces(paths)),
              HasSubstr("holds the part of rank 1 of 2, step 1; expected is that of rank 0 of 2"));
  paths.pop_back();
  EXPECT_THAT(Loss(StoredTensors::OpenPieces(paths)), HasSubstr("rank 1 of 2"));
  const auto first = Put(0, 2, {{"a", {2}, 0, 1, at::ones({1})}});
  const TensorPiece rest = {"a", {2}, 1, 2, at::ones({1})};
  EXPECT_THAT(Loss(StoredTensors::OpenPieces({first, Put(1, 2, {rest}, "step 2")})),
              HasSubstr("of rank 1 of 2, step 2; expected is that of rank 1 of 2, step 1"));
  const TensorPiece other_shape = {"a", {1, 2}, 1, 2, at::ones({1})};
  EXPECT_THAT(Loss(StoredTensors::OpenPieces({first, Put(1, 2, {other_shape})})),
              HasSubstr("is F32 [2] in"));
  const TensorPiece other_type = {"a", {2}, 1, 2, at::ones({1}, at::kLong)};
  EXPECT_THAT(Loss(StoredTensors::OpenPieces({first, Put(1, 2, {other_type})})),
              HasSubstr("I64 [2] in"));
  EXPECT_TRUE(absl::IsNotFound(StoredTensors::OpenPieces({folder_ / "none"}).status()));
}

TEST_F(StoredTensorsTest, AFileIsCheckedOnceAndOnlyWhenItIsRead) {
  auto tensors = StoredTensors::OpenPieces(Files({{0, 5}, {5, 12}}));
  ASSERT_TRUE(tensors.ok());
  std::vector<std::string> checked;
  tensors->CheckBeforeUse([&](const std::string& path) {
    checked.push_back(path);
    return path == folder_ / "rank-1" ? absl::DataLossError("torn") : absl::OkStatus();
  });
  const StoredTensors copy = *tensors;
  EXPECT_TRUE(tensors->Entry("a").ok());
  EXPECT_TRUE(tensors->Range("a", 0, 3).ok());
  EXPECT_TRUE(copy.Range("a", 2, 5).ok());
  EXPECT_THAT(checked, ElementsAre(folder_ / "rank-0"));
  EXPECT_EQ(tensors->Range("a", 4, 6).status(), absl::DataLossError("torn"));
  EXPECT_FALSE(tensors->Tensor("a").ok());
  EXPECT_FALSE(tensors->Bytes("a").ok());
}

TEST_F(StoredTensorsTest, WholeFilesAreViews) {
  ASSERT_TRUE(WriteSafetensors(folder_ / "w", {{"a", whole_}, {"s", at::scalar_tensor(2.5)}}).ok());
  const auto tensors = StoredTensors::Open(folder_ / "w");
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_TRUE(at::equal(*tensors->Tensor("a"), whole_));
  EXPECT_EQ(tensors->Tensor("a")->const_data_ptr(), tensors->Tensor("a")->const_data_ptr());
  EXPECT_EQ(tensors->Tensor("s")->item<float>(), 2.5);
  EXPECT_EQ(tensors->PathOf("a"), folder_ / "w");
  EXPECT_EQ(tensors->PathOf("b"), "");
  StoredTensors twice = *tensors;
  EXPECT_THAT(std::string(twice.AddFile(*SafetensorsFile::Open(folder_ / "w")).message()),
              HasSubstr("is in both"));
}

TEST_F(StoredTensorsTest, AreWrittenOneAfterTheOther) {
  const auto tensors = StoredTensors::OpenPieces(Files({{0, 5}, {5, 12}}));
  const auto lazy = tensors->ForWriting();
  ASSERT_TRUE(lazy.ok()) << lazy.status();
  std::filesystem::create_directories(folder_ / "out");
  ASSERT_TRUE(WriteShardedSafetensors(folder_ / "out", *lazy).ok());
  ASSERT_TRUE(WriteSafetensors(folder_ / "plain", {{"a", whole_}}, {{"format", "pt"}}).ok());
  EXPECT_EQ(Slurp(folder_ / "out/model.safetensors"), Slurp(folder_ / "plain"));
}

}  // namespace
}  // namespace fpo::train
