#include "train/formats/piece_file.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

const PieceFileId kId = {1, 3, "step 40"};

class PieceFileTest : public ::testing::Test {
 protected:
  // What is wrong with a file of these tensors and this metadata.
  std::string Refusal(const TensorMap& tensors,
                      const std::map<std::string, std::string>& metadata) const {
    const std::string path = folder_ / "broken";
    EXPECT_TRUE(WriteSafetensors(path, tensors, metadata).ok());
    const auto index = ReadPieceIndex(**SafetensorsFile::Open(path));
    EXPECT_TRUE(absl::IsDataLoss(index.status())) << index.status();
    EXPECT_THAT(std::string(index.status().message()), HasSubstr(path));
    return std::string(index.status().message());
  }
  const ScratchFolder folder_;
};

TEST_F(PieceFileTest, SaysWhereItsPiecesBelong) {
  const at::Tensor values = at::arange(7, at::kFloat);
  ASSERT_TRUE(WritePieces(folder_ / "p", kId,
                          {{"a", {4, 5}, 3, 10, values},
                           {"step", {}, 0, 1, at::ones({1}, at::kLong)},
                           {"none", {0, 5}, 0, 0, at::empty({0})}})
                  .ok());
  const auto file = SafetensorsFile::Open(folder_ / "p");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(at::equal(*(*file)->Tensor("a"), values)) << "any reader of the format sees a row";
  const auto index = ReadPieceIndex(**file);
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(index->id, kId);
  EXPECT_EQ(index->places.at("a").shape, (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(index->places.at("a").begin, 3);
  EXPECT_TRUE(index->places.at("step").shape.empty());
  EXPECT_EQ(index->places.at("none").shape, (std::vector<int64_t>{0, 5}));
}

TEST_F(PieceFileTest, WhatIsNoPieceIsNotWritten) {
  const std::vector<TensorPiece> wrong = {{"a", {4}, 2, 5, at::ones({3})},   // beyond its tensor
                                          {"a", {4}, -1, 1, at::ones({2})},  // before it
                                          {"a", {4}, 2, 1, at::ones({1})},   // backwards
                                          {"a", {4}, 0, 2, at::ones({3})},   // of another length
                                          {"a", {2, 2}, 0, 2, at::ones({1, 2})},  // no row
                                          {"a", {4}, 0, 2, at::Tensor()}};
  for (const TensorPiece& piece : wrong) {
    const absl::Status written = WritePieces(folder_ / "p", kId, {piece});
    EXPECT_TRUE(absl::IsInvalidArgument(written)) << written;
  }
  const TensorPiece piece = {"a", {4}, 0, 2, at::ones({2})};
  EXPECT_TRUE(absl::IsInvalidArgument(WritePieces(folder_ / "p", kId, {piece, piece})));
}

TEST_F(PieceFileTest, WhatItSaysMustFitItsTensors) {
  const TensorMap row = {{"a", at::ones({3})}};
  const auto said = [](const std::string& pieces) {
    return std::map<std::string, std::string>{{"format", "fpo-pieces-1"},
                                              {"rank", "0"},
                                              {"world", "2"},
                                              {"set", "step 1"},
                                              {"pieces", pieces}};
  };
  EXPECT_THAT(Refusal(row, {}), HasSubstr("its format is not fpo-pieces-1"));
  EXPECT_THAT(Refusal(row, {{"format", "fpo-pieces-1"}}), HasSubstr("of which rank"));
  EXPECT_THAT(Refusal(row, said("torn")), HasSubstr("what its pieces belong to"));
  EXPECT_THAT(Refusal(row, said("{}")), HasSubstr("has 1 tensors and describes 0"));
  EXPECT_THAT(Refusal(row, said(R"({"b": {"shape": [3], "begin": 0}})")),
              HasSubstr("lacks tensor \"b\""));
  EXPECT_THAT(Refusal(row, said(R"({"a": {"shape": [3]}})")), HasSubstr("no shape or begin"));
  EXPECT_THAT(Refusal(row, said(R"({"a": {"shape": ["3"], "begin": 0}})")), HasSubstr("numbers"));
  EXPECT_THAT(Refusal(row, said(R"({"a": {"shape": [4], "begin": 2}})")),
              HasSubstr("3 elements from 2 on does not lie in shape [4]"));
  EXPECT_THAT(Refusal(row, said(R"({"a": {"shape": [4], "begin": -1}})")), HasSubstr("from -1"));
  EXPECT_THAT(Refusal(row, said(R"({"a": {"shape": [4294967296, 4294967296], "begin": 0}})")),
              HasSubstr("does not lie"));
  EXPECT_THAT(Refusal({{"a", at::ones({3, 1})}}, said(R"({"a": {"shape": [3], "begin": 0}})")),
              HasSubstr("not a row"));
}

TEST_F(PieceFileTest, DamagedFilesAreRefusedOrStillFit) {
  ASSERT_TRUE(WritePieces(folder_ / "p", kId, {{"a", {4, 5}, 3, 10, at::ones({7})}}).ok());
  FuzzByMutation(Slurp(folder_ / "p"), 800, [&](const std::string& bytes) {
    folder_.Put("q", bytes);
    const auto file = SafetensorsFile::Open(folder_ / "q");
    if (!file.ok()) return;
    const auto index = ReadPieceIndex(**file);
    if (!index.ok()) return;
    for (const auto& [name, place] : index->places) {
      EXPECT_GE(place.begin, 0);
      EXPECT_TRUE((*file)->Contains(name));
    }
  });
}

}  // namespace
}  // namespace fpo::train
