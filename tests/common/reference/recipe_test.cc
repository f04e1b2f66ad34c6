#include "common/reference/recipe.h"

#include <random>
#include <set>

#include "gtest/gtest.h"

namespace fpo {
namespace {

Recipe SampleRecipe() {
  Recipe recipe;
  recipe.model_digest = std::string(64, 'a');
  recipe.forward = "gemma-1";
  recipe.dtype = "float32";
  recipe.device = "cpu";
  recipe.sae = {{std::string(64, 'b'), 25, "resid_post"}};
  return recipe;
}

TEST(Recipe, CanonicalFormRoundTrips) {
  const auto read = ParseRecipe(CanonicalRecipe(SampleRecipe()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, SampleRecipe());
}

// Every field of Recipe and SaeRecipe: a new one must be added here, and so be decided upon.
TEST(Recipe, EveryFieldChangesTheId) {
  std::vector<Recipe> variants(15, SampleRecipe());
  variants[1].model_digest[0] = 'c';
  variants[2].forward = "gemma-2";
  variants[3].dtype = "bfloat16";
  variants[4].device = "cuda";
  variants[5].sae[0].digest[0] = 'c';
  variants[6].sae[0].layer = 24;
  variants[7].sae[0].site = "mlp_out";
  variants[8].sae[0].pooling = "other";
  variants[9].sae[0].precision = "other";
  variants[10].features = "top:50";
  variants[11].values = "float16";
  variants[12].sae[0].k = 32;
  variants[13].quantization = "nf4";
  variants[14].quantization = "nf4-double";
  std::set<std::string> ids;
  for (const Recipe& recipe : variants) ids.insert(ToHex(RecipeId(recipe)));
  EXPECT_EQ(ids.size(), variants.size());
  EXPECT_LE(sizeof(Recipe), 7 * sizeof(std::string) + sizeof(std::vector<int>))
      << "a field was added to Recipe: say here what it does to the id";
}

TEST(Recipe, IdsFromBeforeFloat16Stay) {
  EXPECT_EQ(CanonicalRecipe(SampleRecipe()).find("values"), std::string::npos);
  Recipe half = SampleRecipe();
  half.values = "float16";
  EXPECT_EQ(*ParseRecipe(CanonicalRecipe(half)), half);
  half.values = "float8";
  EXPECT_FALSE(ParseRecipe(CanonicalRecipe(half)).ok());
  EXPECT_EQ(MarginRecipe(half), MarginRecipe(SampleRecipe()))
      << "the margin-only form has no values";
}

TEST(Recipe, IdsFromBeforeQuantizationStay) {
  EXPECT_EQ(CanonicalRecipe(SampleRecipe()).find("quantization"), std::string::npos);
  Recipe packed = SampleRecipe();
  packed.quantization = "nf4-double";
  EXPECT_EQ(*ParseRecipe(CanonicalRecipe(packed)), packed);
  EXPECT_FALSE(MarginRecipe(packed) == MarginRecipe(SampleRecipe()))
      << "another model, with or without features";
  packed.quantization = "fp4";
  EXPECT_FALSE(ParseRecipe(CanonicalRecipe(packed)).ok());
}

TEST(Recipe, IdsFromBeforeTopKStay) {
  EXPECT_EQ(
      CanonicalRecipe(SampleRecipe()),
      "{\"device\":\"cpu\",\"dtype\":\"float32\",\"features\":\"all\",\"forward\":\"gemma-1\","
      "\"model_digest\":\"" +
          std::string(64, 'a') + "\",\"sae\":[{\"digest\":\"" + std::string(64, 'b') +
          "\",\"layer\":25,\"pooling\":\"mean-response\","
          "\"precision\":\"float32\",\"site\":\"resid_post\"}]}");
  Recipe top = SampleRecipe();
  top.sae[0].k = 32;
  EXPECT_NE(CanonicalRecipe(top).find("\",\"k\":32,\"layer\""), std::string::npos);
  EXPECT_EQ(*ParseRecipe(CanonicalRecipe(top)), top);
  std::string zero = CanonicalRecipe(top);
  zero.replace(zero.find("\"k\":32"), 6, "\"k\":0");
  EXPECT_FALSE(ParseRecipe(zero).ok()) << "a second form of the same recipe";
  top.sae[0].k = -1;
  EXPECT_FALSE(ParseRecipe(CanonicalRecipe(top)).ok());
}

TEST(Recipe, MarginRecipeForgetsTheSaes) {
  EXPECT_TRUE(MarginRecipe(SampleRecipe()).sae.empty());
  EXPECT_EQ(MarginRecipe(SampleRecipe()).model_digest, SampleRecipe().model_digest);
  EXPECT_EQ(MarginRecipe(MarginRecipe(SampleRecipe())), MarginRecipe(SampleRecipe()));
}

TEST(Recipe, OnlyTheCanonicalFormIsTaken) {
  const std::string canonical = CanonicalRecipe(SampleRecipe());
  EXPECT_FALSE(ParseRecipe(" " + canonical).ok());
  EXPECT_FALSE(ParseRecipe("{}").ok());
  EXPECT_FALSE(ParseRecipe("").ok());
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = canonical;
    damaged[random() % damaged.size()] = static_cast<char>(random() % 128);
    const auto recipe = ParseRecipe(damaged);
    if (recipe.ok()) {
      EXPECT_EQ(CanonicalRecipe(*recipe), damaged);
    }
  }
}

}  // namespace
}  // namespace fpo
