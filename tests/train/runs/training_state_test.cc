#include "train/runs/training_state.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TrainingState State() {
  TrainingState state;
  state.step = 12;
  state.world = 2;
  state.seed = 42;
  state.data_digest = "d";
  state.model_digest = "m";
  state.recipe_id = "r";
  state.reference_probe = {-1.25, -3.5e-7};
  state.train_seconds = 1.5;
  state.tokens_per_microbatch = 512;
  state.early_stop = {0.1 + 0.7, 8, 2};
  state.budget = {9, 0.69, 0.1 + 0.2, 1.0 / 3, 0.97, 4, -1.0 / 7};
  return state;
}

TEST(TrainingState, JsonRoundTrip) {
  const auto back = TrainingState::Parse(State().Json());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->Json(), State().Json());
  EXPECT_EQ(back->tokens_per_microbatch, 512);
  EXPECT_EQ(back->budget, State().budget) << "to the last bit";
  EXPECT_EQ(back->early_stop, State().early_stop);
  EXPECT_EQ(TrainingState::Parse(TrainingState().Json())->budget, BudgetState());
  EXPECT_EQ(TrainingState::Parse(TrainingState().Json())->early_stop, EarlyStopState());
  EXPECT_FALSE(TrainingState::Parse("{}").ok());
  EXPECT_FALSE(TrainingState::Parse("torn").ok());
}

TEST(TrainingState, ACheckpointOfAnOlderVersionNamesNoSizeOfMicroBatches) {
  std::string json = State().Json();
  const size_t begin = json.find(",\n  \"tokens_per_microbatch\""),
               end = json.find('\n', begin + 2);
  json.erase(begin, end - begin);
  const auto back = TrainingState::Parse(json);
  ASSERT_TRUE(back.ok()) << back.status() << json;
  EXPECT_EQ(back->tokens_per_microbatch, 0);
}

TEST(TrainingState, AnAttemptKeepsWhatIsItsOwn) {
  TrainingState saved, attempt;
  saved.step = 7;
  saved.world = 2;
  saved.model_path = "/old";
  saved.tokens_per_microbatch = 512;
  attempt.world = 1;
  attempt.model_path = "/moved";
  TrainingState kept = saved;
  kept.Adopt(attempt, false);
  EXPECT_EQ(kept.step, 7);
  EXPECT_EQ(kept.world, 1);
  EXPECT_EQ(kept.model_path, "/moved");
  EXPECT_EQ(kept.tokens_per_microbatch, 512);
  saved.Adopt(attempt, true);
  EXPECT_EQ(saved.tokens_per_microbatch, 0);
}

TEST(TrainingState, AnotherRunIsRefused) {
  EXPECT_TRUE(State().CheckSameRun(State()).ok());
  TrainingState other = State();
  other.data_digest = "x";
  EXPECT_FALSE(State().CheckSameRun(other).ok());
  other = State();
  other.recipe_id = "x";
  EXPECT_FALSE(State().CheckSameRun(other).ok());
  other = State();
  other.step = 0;  // where a fresh run is does not matter
  EXPECT_TRUE(State().CheckSameRun(other).ok());
}

}  // namespace
}  // namespace fpo::train
