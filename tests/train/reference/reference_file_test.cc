#include "train/reference/reference_file.h"

#include <gtest/gtest.h>

#include "common/reference/record_key.h"
#include "tests/train/support/tiny_run.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

TEST(ReferenceFile, ComputesOnlyWhatIsMissingAndKeepsTheRest) {
  const TinyRun tiny;
  const auto model = LoadModel({tiny.Path("model"), "float32"});
  ASSERT_TRUE(model.ok());
  const std::vector<TokenPair> pairs = RandomPairs(6, 5);
  std::vector<ReferenceResponse> responses;
  for (const TokenPair& pair : pairs) {
    responses.push_back({RecordKey(pair.prompt, pair.chosen), pair.prompt, pair.chosen});
  }
  const Recipe recipe =
      MakeRecipe({model->digest, model->model.config().architecture, "float32", "cpu", "all"}, {});
  int loads = 0;
  const auto make = [&]() -> absl::StatusOr<Scorer> {
    ++loads;
    return Scorer(model->model, {});
  };
  ReferenceFileRequest request{tiny.Path("r.fpr"), recipe, absl::MakeConstSpan(responses).first(4)};
  auto result = CompleteReferenceFile(request, make, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->computed, 4);

  request.responses = responses;
  result = CompleteReferenceFile(request, make, {});
  EXPECT_EQ(result->computed, 2);
  EXPECT_EQ(result->reused, 4);

  result = CompleteReferenceFile(request, make, {});
  EXPECT_EQ(result->computed, 0);
  EXPECT_EQ(loads, 2);

  request.responses = absl::MakeConstSpan(responses).first(1);
  EXPECT_EQ(CompleteReferenceFile(request, make, {})->computed, 0);
  request.responses = absl::MakeConstSpan(responses).last(2);
  EXPECT_EQ(CompleteReferenceFile(request, make, {})->reused, 2) << "nothing is thrown away";

  request.responses = responses;
  request.recipe.dtype = "bfloat16";  // records of another recipe are not reused
  result = CompleteReferenceFile(request, make, {});
  EXPECT_EQ(result->computed, 6);
}

}  // namespace
}  // namespace fpo::train
