#include "train/findings/pair_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/match.h"
#include "common/reference/record_key.h"
#include "tests/train/findings/styled_pairs.h"
#include "train/data/context_id.h"
#include "train/reference/reference_file.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

Recipe TwoSaes() {
  Recipe recipe;
  recipe.model_digest = std::string(64, 'a');
  recipe.forward = "gemma-1";
  recipe.dtype = "float32";
  recipe.device = "cpu";
  recipe.sae.resize(2);
  for (SaeRecipe& sae : recipe.sae) {
    sae.digest = std::string(64, 'b');
    sae.site = "resid_post";
  }
  return recipe;
}

struct Written {
  TinyRun tiny;
  std::unique_ptr<RecordFile> records;
  std::unique_ptr<TokenFile> pairs;
};

// A pair with the given records of its sides.
std::unique_ptr<Written> Write(const TokenPair& pair, const Record& chosen,
                               const Record& rejected) {
  auto written = std::make_unique<Written>();
  WriteTokenPairs({pair}, written->tiny.Path("pairs"));
  written->pairs = std::make_unique<TokenFile>(*TokenFile::Open(written->tiny.Path("pairs")));
  const std::vector<ReferenceResponse> responses = {
      {RecordKey(pair.prompt, pair.chosen), pair.prompt, pair.chosen},
      {RecordKey(pair.prompt, pair.rejected), pair.prompt, pair.rejected}};
  const std::string path = written->tiny.Path("r.fpr");
  EXPECT_TRUE(WriteRecords(path, TwoSaes(), responses, {chosen, rejected}).ok());
  written->records = *RecordFile::Open(path);
  return written;
}

const TokenPair kPair = {{2, 5}, {7, ContextId(8), 9, 1}, {6}, 0, ""};

TEST(PairFeatures, RowsAreDifferencesOfBothSaesAndOfTheirLengths) {
  const auto written = Write(kPair, {-6, 3, {{{0, 1.5f}, {3, 2}}, {{1, 0.5f}}}},
                             {-1, 1, {{{3, 2}, {4, 1}}, {{0, 0.25f}, {1, 0.125f}}}});
  const PairFeatures features(*written->records, *written->pairs, {10, 2});
  EXPECT_EQ(features.columns(), 15);
  const auto row = features.At(0);
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_EQ(row->chosen_tokens, 3) << "context is not counted";
  EXPECT_EQ(row->logp, -5);
  EXPECT_EQ(row->logp_per_token, -1);
  EXPECT_DOUBLE_EQ(row->length, std::log(3.0));
  EXPECT_THAT(
      row->differences,
      ElementsAre(Pair(0, 1.5f), Pair(4, -1.0f), Pair(10, -0.25f), Pair(11, 0.375f),
                  Pair(12, static_cast<float>(std::log(3.0))), Pair(13, -5.0f), Pair(14, -1.0f)));
  EXPECT_EQ(features.NameOf(4), "sae 0 feature 4");
  EXPECT_EQ(features.NameOf(11), "sae 1 feature 1");
  EXPECT_EQ(features.NameOf(12), "length");
  EXPECT_EQ(PairFeatures(*written->records, *written->pairs, {10}).NameOf(4), "feature 4");
}

TEST(PairFeatures, WhatDoesNotFitIsAnError) {
  const auto message = [](const auto& written, std::vector<int64_t> widths) {
    return std::string(PairFeatures(*written->records, *written->pairs, std::move(widths))
                           .At(0)
                           .status()
                           .message());
  };
  const auto good = Write(kPair, {-6, 3, {{{9, 1}}, {}}}, {-1, 1, {{}, {}}});
  EXPECT_EQ(message(good, {10, 2}), "");
  EXPECT_THAT(message(good, {9, 2}), ::testing::HasSubstr("feature 9 in a record"));
  EXPECT_THAT(message(good, {10}), ::testing::HasSubstr("2 feature lists, expected 1"));
  const auto longer = Write(kPair, {-6, 4, {{}, {}}}, {-1, 1, {{}, {}}});
  EXPECT_THAT(message(longer, {10, 2}), ::testing::HasSubstr("counts 4 response tokens"));
  const auto other = Write(kPair, {-6, 3, {{}, {}}}, {-1, 1, {{}, {}}});
  WriteTokenPairs({{{2, 6}, {7}, {8}, 0, ""}}, other->tiny.Path("other"));
  const TokenFile missing = *TokenFile::Open(other->tiny.Path("other"));
  EXPECT_TRUE(absl::IsNotFound(PairFeatures(*other->records, missing, {10, 2}).At(0).status()));
}

}  // namespace
}  // namespace fpo::train
