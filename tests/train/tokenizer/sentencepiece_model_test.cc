#include "train/tokenizer/sentencepiece_model.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"

namespace fpo::train {
namespace {

TEST(SentencePieceModelTest, PiecesMergesAndAddedTokens) {
  const auto spec = ReadSentencePieceModel(TinyTokenizerBytes(), "t.model");
  ASSERT_TRUE(spec.ok()) << spec.status();
  const auto& pieces = spec->bpe.pieces;
  EXPECT_EQ(pieces[2], "<bos>");
  EXPECT_EQ(pieces[8 + 9], "\t") << "the tab's byte is the tab, as in the published files";
  EXPECT_EQ(pieces[8 + 10], "<0x0A>");
  EXPECT_EQ(spec->bpe.unknown, 3);
  EXPECT_EQ(spec->bos, "<bos>");
  EXPECT_EQ(spec->eos, "<eos>");
  EXPECT_EQ(spec->pad, "<pad>");
  ASSERT_EQ(spec->added.size(), 8u);
  EXPECT_EQ(spec->added[3].content, "<unk>");
  EXPECT_EQ(spec->added[5].content, "<end_of_turn>");
  EXPECT_EQ(spec->added[6].content, "\n");
  EXPECT_TRUE(spec->added[3].special && spec->added[4].special && spec->added[5].special);
  EXPECT_FALSE(spec->added[6].special);
  // Scores order the merges: "\n" + "\n" has the score 0, "a" + "b" is the best of the rest.
  const auto text = [&](const BpeMerge& merge) {
    return pieces[static_cast<size_t>(merge.left)] + "+" + pieces[static_cast<size_t>(merge.right)];
  };
  EXPECT_EQ(text(spec->bpe.merges[0]), "\n+\n");
  EXPECT_EQ(text(spec->bpe.merges[1]), "a+b");
  EXPECT_EQ(text(spec->bpe.merges[2]), "ab+c");
  EXPECT_EQ(text(spec->bpe.merges[3]), "▁+a");
  // Two ways to one piece stand in the order of the ids of their parts.
  std::vector<std::string> ways;
  for (const BpeMerge& merge : spec->bpe.merges) {
    if (pieces[static_cast<size_t>(merge.result)] == "model") ways.push_back(text(merge));
  }
  EXPECT_EQ(ways, (std::vector<std::string>{"mod+el", "mode+l"}));
}

TEST(SentencePieceModelTest, RefusesOtherKinds) {
  // Fields of trainer_spec (2) and normalizer_spec (3) behind the good ones; the last one counts.
  const std::string good = TinyTokenizerBytes();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {std::string("\x12\x02\x18\x01", 4), "type BPE"},
      {std::string("\x12\x03\xC0\x01\x01", 5), "treat_whitespace_as_suffix"},
      {std::string("\x1A\x03\x12\x01x", 5), "normalises"},
      {std::string("\x1A\x02\x18\x01", 4), "add_dummy_prefix"},
      {std::string("\x1A\x02\x20\x01", 4), "remove_extra_whitespaces"},
      {std::string("\x1A\x02\x28\x00", 4), "escape_whitespaces"}};
  for (const auto& [field, why] : cases) {
    const auto spec = ReadSentencePieceModel(good + field, "t.model");
    EXPECT_TRUE(absl::IsInvalidArgument(spec.status())) << spec.status();
    EXPECT_TRUE(absl::StrContains(spec.status().message(), why)) << spec.status();
  }
}

TEST(SentencePieceModelTest, RefusesBrokenOnes) {
  const std::string good = TinyTokenizerBytes();
  const auto piece = [](const std::string& body) {
    return std::string("\x0A") + static_cast<char>(body.size()) + body;
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no pieces"},
      {"not a model", "not a SentencePiece model"},
      {good.substr(0, good.size() / 2), "broken"},
      {good + piece(std::string("\x0A\x00", 2)), "is empty"},
      {good + piece("\x0A\x01\xFF"), "not UTF-8"},
      {good + piece("\x0A\x03"
                    "abc"),
       "the same as piece"},
      {good + piece(std::string("\x0A\x03xyz\x15\x00\x00\xC0\x7F", 10)), "not finite"},
      {good + piece("\x0A\x03xyz\x18\x05"), "of type 5"},
      {good + piece("\x0A\x03xyz\x18\x09"), "of type 9"},
      {good + "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", "broken"}};
  for (const auto& [bytes, why] : cases) {
    const auto spec = ReadSentencePieceModel(bytes, "t.model");
    EXPECT_TRUE(absl::IsDataLoss(spec.status())) << why;
    EXPECT_TRUE(absl::StrContains(spec.status().message(), why)) << spec.status();
    EXPECT_TRUE(absl::StartsWith(spec.status().message(), "t.model ")) << spec.status();
  }
}

TEST(SentencePieceModelTest, DamagedFilesNeverCrash) {
  int read = 0;
  FuzzByMutation(TinyTokenizerBytes(), 3000, [&](const std::string& bytes) {
    read += ReadSentencePieceModel(bytes, "t.model").ok();
  });
  EXPECT_LT(read, 3000);
}

}  // namespace
}  // namespace fpo::train
