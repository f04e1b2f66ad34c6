#include "train/data/token_file.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "train/data/context_id.h"
#include "train/formats/safetensors.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

TokenFileWriter TwoPairs(const std::string& id) {
  TokenFileWriter writer;
  writer.Add({{2, 10, 11}, {12, 1}, {13, 14, 1}, 4, id});
  writer.Add({{2, 20}, {21, 1}, {22, 1}, 9, ""});
  return writer;
}

TEST(TokenFileTest, PairsComeBack) {
  ScratchFolder folder;
  ASSERT_TRUE(TwoPairs("row-4").Write(folder / "t", {{"template", "gemma"}}).ok());
  const auto file = TokenFile::Open(folder / "t");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->size(), 2);
  const TokenPairView pair = file->pair(0);
  EXPECT_THAT(pair.prompt, ElementsAre(2, 10, 11));
  EXPECT_THAT(pair.chosen, ElementsAre(12, 1));
  EXPECT_THAT(pair.rejected, ElementsAre(13, 14, 1));
  EXPECT_EQ(pair.row, 4);
  EXPECT_EQ(file->row_id(0), "row-4");
  EXPECT_EQ(file->row_id(1), "");
  EXPECT_EQ(file->LongestSequence(0), 6);
  EXPECT_EQ(file->tokens(), 14);
  EXPECT_TRUE(file->has_rejected());
  EXPECT_EQ(file->metadata().at("template"), "gemma");
}

TEST(TokenFileTest, EmptyAndWithoutRejected) {
  ScratchFolder folder;
  ASSERT_TRUE(TokenFileWriter().Write(folder / "none", {}).ok());
  EXPECT_EQ(TokenFile::Open(folder / "none")->size(), 0);
  TokenFileWriter writer;
  writer.Add({{2}, {5, 1}, {}, 0, ""});
  ASSERT_TRUE(writer.Write(folder / "sft", {}).ok());
  const auto file = TokenFile::Open(folder / "sft");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_FALSE(file->has_rejected());
  EXPECT_TRUE(file->pair(0).rejected.empty());
  const auto raw = *SafetensorsFile::Open(folder / "sft");
  EXPECT_EQ(raw->Tensor("rejected_start")->item<int64_t>(), 0);
  EXPECT_EQ(raw->entries().at("ids").dtype, "I32");
}

TEST(TokenFileTest, LabelsAndMismatchedResponses) {
  ScratchFolder folder;
  TokenFileWriter writer;
  writer.Add({{2, 10, 11}, {12, 1}, {}, 4, "", true});
  writer.Add({{2, 20}, {21, 22, 23, 1}, {}, 9, "", false});
  writer.Add({{2, 20}, {24, 1}, {}, 9, "", true});
  ASSERT_TRUE(writer.AddMismatchedResponses(6).ok());
  ASSERT_TRUE(writer.Write(folder / "kto", {}).ok());
  const auto file = TokenFile::Open(folder / "kto");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->has_labels());
  EXPECT_TRUE(file->pair(0).desirable);
  EXPECT_FALSE(file->pair(1).desirable);
  EXPECT_THAT(file->pair(0).chosen, ElementsAre(12, 1));
  EXPECT_THAT(file->pair(0).rejected, ElementsAre(24, 1));
  EXPECT_THAT(file->pair(1).rejected, ElementsAre(12, 1)) << "no undesirable one of another prompt";
  EXPECT_THAT(file->pair(2).rejected, ElementsAre(12, 1));
  EXPECT_EQ(file->tokens(), 15) << "stored once";
  ASSERT_TRUE(TwoPairs("").Write(folder / "pairs", {}).ok());
  EXPECT_FALSE(TokenFile::Open(folder / "pairs")->has_labels());
  EXPECT_THROW(writer.Add({{2}, {5}, {}, 1, ""}), c10::Error);
}

TEST(TokenFileTest, AMismatchedResponseIsCutToTheLimit) {
  ScratchFolder folder;
  TokenFileWriter writer;
  writer.Add({{2, 10, 11}, {12, 1}, {}, 4, "", true});
  writer.Add({{2, 20}, {21, ContextId(22), 23, 1}, {}, 9, "", true});
  ASSERT_TRUE(writer.AddMismatchedResponses(5).ok());
  ASSERT_TRUE(writer.Write(folder / "kto", {}).ok());
  EXPECT_THAT(TokenFile::Open(folder / "kto")->pair(0).rejected, ElementsAre(21));
}

TEST(TokenFileTest, ALabelIsPartOfTheDigest) {
  ScratchFolder folder;
  const auto digest = [&](bool label) {
    TokenFileWriter writer;
    writer.Add({{2, 10}, {12, 1}, {}, 0, "", label});
    EXPECT_TRUE(writer.Write(folder / "kto", {}).ok());
    return TokenFile::Open(folder / "kto")->digest();
  };
  EXPECT_NE(digest(true), digest(false));
}

TEST(TokenFileTest, DigestIsOfTokensNotOfMetadata) {
  ScratchFolder folder;
  ASSERT_TRUE(TwoPairs("a").Write(folder / "1", {{"k", "v"}}).ok());
  ASSERT_TRUE(TwoPairs("b").Write(folder / "2", {}).ok());
  TokenFileWriter other = TwoPairs("a");
  other.Add({{2}, {5}, {6}, 10, ""});
  ASSERT_TRUE(other.Write(folder / "3", {}).ok());
  EXPECT_EQ(TokenFile::Open(folder / "1")->digest(), TokenFile::Open(folder / "2")->digest());
  EXPECT_NE(TokenFile::Open(folder / "1")->digest(), TokenFile::Open(folder / "3")->digest());
}

TEST(TokenFileTest, ResponsesMayHaveContext) {
  ScratchFolder folder;
  const auto open = [&](const TokenPair& pair) {
    TokenFileWriter writer;
    writer.Add(pair);
    EXPECT_TRUE(writer.Write(folder / "t", {}).ok());
    return TokenFile::Open(folder / "t");
  };
  const auto file = open({{2, 10}, {12, ~40, 1}, {~13, 14}, 0, ""});
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->pair(0).chosen, ElementsAre(12, ~40, 1));
  EXPECT_EQ(file->greatest_id(), 40);
  EXPECT_EQ(file->LongestSequence(0), 5);
  EXPECT_NE(file->digest(), open({{2, 10}, {12, 40, 1}, {~13, 14}, 0, ""})->digest());
  EXPECT_TRUE(absl::IsDataLoss(open({{2, -1}, {12}, {13}, 0, ""}).status()));
  EXPECT_TRUE(absl::IsDataLoss(open({{2}, {~12, ~1}, {13}, 0, ""}).status()));
  EXPECT_TRUE(absl::IsDataLoss(open({{2}, {12}, {~13}, 0, ""}).status()));
}

TEST(TokenFileTest, RangesOutsideAreRefused) {
  ScratchFolder folder;
  const auto with = [&](const char* name, int64_t value) {
    TensorMap tensors = {{"ids", at::full({4}, 5, at::kInt)}, {"row", at::zeros({1}, at::kLong)}};
    for (const char* key : {"prompt_start", "chosen_start", "rejected_start", "rejected_length"}) {
      tensors[key] = at::zeros({1}, at::kLong);
    }
    tensors["prompt_length"] = tensors["chosen_length"] = at::ones({1}, at::kLong);
    tensors[name] = at::full({1}, value, at::kLong);
    EXPECT_TRUE(WriteSafetensors(folder / "t", tensors).ok());
    return TokenFile::Open(folder / "t").status();
  };
  EXPECT_TRUE(with("row", 3).ok());
  EXPECT_TRUE(absl::IsDataLoss(with("prompt_start", 4)));
  EXPECT_TRUE(absl::IsDataLoss(with("chosen_length", 5)));
  EXPECT_TRUE(absl::IsDataLoss(with("chosen_length", 0)));
  EXPECT_TRUE(absl::IsDataLoss(with("prompt_start", -1)));
  EXPECT_TRUE(absl::IsDataLoss(with("rejected_length", INT64_MAX)));
  ASSERT_TRUE(WriteSafetensors(folder / "some", {{"ids", at::full({4}, 5, at::kInt)},
                                                 {"row", at::zeros({1}, at::kLong)}})
                  .ok());
  EXPECT_TRUE(absl::IsDataLoss(TokenFile::Open(folder / "some").status()));
  EXPECT_TRUE(absl::IsNotFound(TokenFile::Open(folder / "none").status()));
  ASSERT_TRUE(WriteSafetensors(folder / "w", {{"w", at::ones({2})}}).ok());
  const auto weights = TokenFile::Open(folder / "w");
  EXPECT_TRUE(absl::StrContains(weights.status().message(), "not a token file"));
}

TEST(TokenFileTest, SurvivesDamage) {
  ScratchFolder folder;
  ASSERT_TRUE(TwoPairs("id").Write(folder / "t", {}).ok());
  FuzzByMutation(Slurp(folder / "t"), 2000, [&](const std::string& bytes) {
    const auto file = TokenFile::Open(folder.Put("damaged", bytes));
    if (!file.ok()) return;
    int64_t sum = 0;
    for (int64_t i = 0; i < file->size(); ++i) {
      const TokenPairView pair = file->pair(i);
      for (const auto& part : {pair.prompt, pair.chosen, pair.rejected}) {
        for (const int32_t id : part) sum += TokenOf(id);
      }
      sum += static_cast<int64_t>(file->row_id(i).size());
    }
    EXPECT_GE(sum, 0);
  });
}

}  // namespace
}  // namespace fpo::train
