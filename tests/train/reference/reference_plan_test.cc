#include "train/reference/reference_plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/hash.h"
#include "common/reference/record_key.h"
#include "tests/train/support/tiny_run.h"
#include "train/model/gemma.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

TEST(ReferencePlan, WritesRecipeAndKeys) {
  const TinyRun tiny;
  const auto count = PlanReference(tiny.Job("fpo"), tiny.Path("prepared"), at::kCPU);
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->responses, 2 * (12 + 5));
  EXPECT_EQ(count->train_pairs, 12);
  EXPECT_EQ(count->eval_pairs, 5);
  const auto keys = ReadKeysFile(tiny.Path("prepared/reference.keys"));
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(static_cast<int64_t>(keys->size()), count->responses);
  const auto plan = nlohmann::json::parse(Slurp(tiny.Path("prepared/reference.json")));
  const auto recipe = ParseRecipe(plan.at("recipe").get<std::string>());
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(plan.at("recipe_id"), ToHex(RecipeId(*recipe)));
  ASSERT_EQ(recipe->sae.size(), 1u);
  EXPECT_EQ(recipe->sae[0].layer, 1);
}

TEST(ReferencePlan, KeysAreOfThePairsThatAreRead) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("dpo");
  job.max_steps = 1;
  job.evaluate.pairs = 2;
  const auto keys_of = [&] {
    const auto work = PlanReference(job, tiny.Path("prepared"), at::kCPU);
    EXPECT_TRUE(work.ok()) << work.status();
    const auto keys = ReadKeysFile(tiny.Path("prepared/reference.keys"));
    EXPECT_EQ(static_cast<int64_t>(keys->size()), work->responses);
    return work->responses;
  };
  EXPECT_EQ(keys_of(), 2 * (4 + 2));
  job.kind = "evaluate";
  EXPECT_EQ(keys_of(), 2 * 2);
  job.kind = "reference";
  EXPECT_EQ(keys_of(), 2 * (4 + 2)) << "what a run of one step reads";
  job.max_steps.reset();
  EXPECT_EQ(keys_of(), 2 * (12 + 5)) << "all of its data";
}

// What is computed by another function must not be taken for the same.
TEST(ReferencePlan, FusedAttentionHasAForwardRecipeOfItsOwn) {
  Architecture architecture = Architecture::kGemma3;
  const auto forward = [&](const char* dtype, const char* device) {
    return MakeRecipe({"digest", architecture, dtype, device, "all", "float32"}, {}).forward;
  };
  FastPaths paths = ActiveFastPaths();
  paths.fused_attention = true;
  const FastPathsInScope scope(paths);
  EXPECT_EQ(forward("bfloat16", "cuda"), "gemma-1-fused");
  EXPECT_EQ(forward("float32", "cuda"), "gemma-1");
  EXPECT_EQ(forward("bfloat16", "cpu"), "gemma-1");
  paths.fused_attention = false;
  const FastPathsInScope off(paths);
  EXPECT_EQ(forward("bfloat16", "cuda"), "gemma-1");
  // Each family has recipes of its own; the two Gemmas have shared theirs from the beginning.
  std::set<std::string> recipes;
  for (const Architecture other :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    architecture = other;
    recipes.insert(forward("bfloat16", "cuda"));
    recipes.insert(FamilyOf(other).fused_forward_recipe);
  }
  EXPECT_EQ(recipes.size(), 6u);
}

// The margin-only recipe of an FPO job is the recipe of a DPO job on the same model.
TEST(ReferencePlan, DpoFindsWhatFpoStored) {
  const TinyRun tiny;
  ASSERT_TRUE(PlanReference(tiny.Job("fpo"), tiny.Path("prepared"), at::kCPU).ok());
  const auto fpo = nlohmann::json::parse(Slurp(tiny.Path("prepared/reference.json")));
  ASSERT_TRUE(PlanReference(tiny.Job("dpo"), tiny.Path("prepared"), at::kCPU).ok());
  const auto dpo = nlohmann::json::parse(Slurp(tiny.Path("prepared/reference.json")));
  const auto recipe = ParseRecipe(fpo.at("recipe").get<std::string>());
  EXPECT_EQ(ToHex(RecipeId(MarginRecipe(*recipe))), dpo.at("recipe_id"));
}

TEST(ReferencePlan, EveryPartOfTheRecipeCounts) {
  const RecipeInputs base{std::string(64, 'a'), Architecture::kGemma2, "float32", "cpu", "all"};
  RecipeInputs other = base;
  other.device = "cuda";
  EXPECT_NE(RecipeId(MakeRecipe(base, {})), RecipeId(MakeRecipe(other, {})));
  other = base;
  other.dtype = "bfloat16";
  EXPECT_NE(RecipeId(MakeRecipe(base, {})), RecipeId(MakeRecipe(other, {})));
  other = base;
  other.features = "top:5";  // no SAE: nothing to keep the top of
  EXPECT_EQ(RecipeId(MakeRecipe(base, {})), RecipeId(MakeRecipe(other, {})));
}

TEST(ReferencePlan, FeatureWords) {
  EXPECT_EQ(*TopFeatures("all"), 0);
  EXPECT_EQ(*TopFeatures("top:50"), 50);
  EXPECT_FALSE(TopFeatures("top:0").ok());
  EXPECT_FALSE(TopFeatures("best").ok());
  ReferenceSection section;
  section.features = "top";
  section.features_top = 7;
  EXPECT_EQ(FeaturesWord(section), "top:7");
}

}  // namespace
}  // namespace fpo::train
