#include "train/prepare/reference_keys.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/reference/record_key.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

TokenFile Write(const std::string& path, const std::vector<TokenPair>& pairs) {
  TokenFileWriter writer;
  for (const TokenPair& pair : pairs) writer.Add(pair);
  EXPECT_TRUE(writer.Write(path, {}).ok());
  return *TokenFile::Open(path);
}

TEST(ReferenceKeysTest, ManifestOrderEachKeyOnce) {
  ScratchFolder folder;
  const TokenFile train =
      Write(folder / "train", {{{2, 5}, {6}, {7}, 0, ""}, {{2, 5}, {7}, {8}, 1, ""}});
  const TokenFile eval =
      Write(folder / "eval", {{{2, 5}, {8}, {9}, 0, ""}, {{2}, {5, 6}, {}, 1, ""}});
  const auto responses = ReferenceResponses({train, eval, {}}, {{0, 1}, {0, 1}});
  ASSERT_EQ(responses.size(), 5u);
  const std::vector<std::vector<int32_t>> expected = {{6}, {7}, {8}, {9}, {5, 6}};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(std::vector<int32_t>(responses[i].response.begin(), responses[i].response.end()),
              expected[i]);
    EXPECT_EQ(responses[i].key, RecordKey(responses[i].prompt, expected[i]));
  }
}

TEST(ReferenceKeysTest, OnlyTheSelectedPairs) {
  ScratchFolder folder;
  const TokenFile train = Write(
      folder / "train", {{{2}, {6}, {7}, 0, ""}, {{2}, {8}, {9}, 1, ""}, {{2}, {10}, {11}, 2, ""}});
  const TokenFile eval = Write(folder / "eval", {{{2}, {12}, {13}, 0, ""}, {{2}, {14}, {}, 1, ""}});
  std::vector<int32_t> first_tokens;
  for (const ReferenceResponse& response : ReferenceResponses({train, eval, {}}, {{0, 2}, {0}})) {
    first_tokens.push_back(response.response.front());
  }
  EXPECT_EQ(first_tokens, (std::vector<int32_t>{6, 7, 10, 11, 12, 13}));
}

TEST(ReferenceKeysTest, FurtherSetsComeLast) {
  ScratchFolder folder;
  const TokenFile train = Write(folder / "train", {{{2}, {6}, {7}, 0, ""}});
  const TokenFile eval = Write(folder / "eval", {{{2}, {8}, {9}, 0, ""}});
  std::vector<EvalTokens> more;
  more.push_back({"far", Write(folder / "far", {{{2}, {9}, {6}, 0, ""}, {{2}, {4}, {5}, 1, ""}})});
  std::vector<int32_t> first_tokens;
  for (const auto& response : ReferenceResponses({train, eval, more}, {{0}, {0}, {{0, 1}}})) {
    first_tokens.push_back(response.response.front());
  }
  EXPECT_EQ(first_tokens, (std::vector<int32_t>{6, 7, 8, 9, 4, 5}));
}

TEST(ReferenceKeysTest, WritesThePlan) {
  ScratchFolder folder;
  const TokenFile train = Write(folder / "train", {{{2, 5}, {6}, {7}, 0, ""}});
  const TokenFile eval = Write(folder / "eval", {});
  const auto responses = ReferenceResponses({train, eval, {}}, {{0}, {}});
  Recipe recipe;
  recipe.model_digest = std::string(64, 'a');
  recipe.forward = "gemma-1";
  recipe.dtype = "float32";
  recipe.device = "cpu";
  ASSERT_TRUE(WriteReferencePlan(folder.path(), recipe, responses).ok());
  const auto keys = ReadKeysFile(folder / "reference.keys");
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_EQ((*keys)[0], responses[0].key);
  const auto json = nlohmann::json::parse(Slurp(folder / "reference.json"));
  EXPECT_EQ(json["count"], 2);
  EXPECT_EQ(json["recipe_id"], ToHex(RecipeId(recipe)));
  EXPECT_EQ(json["recipe"], CanonicalRecipe(recipe));
}

}  // namespace
}  // namespace fpo::train
