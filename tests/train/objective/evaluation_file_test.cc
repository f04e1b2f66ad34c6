#include "train/objective/evaluation_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/train/support/tiny_run.h"
#include "train/data/pair_identity.h"

namespace fpo::train {
namespace {

TEST(EvaluationFile, OneLineAPair) {
  const TinyRun tiny;
  TokenFileWriter writer;
  writer.Add({{1, 2}, {3}, {4}, 7, "first"});
  writer.Add({{1, 2}, {3}, {4}, 9, ""});
  ASSERT_TRUE(writer.Write(tiny.Path("pairs"), {}).ok());
  const auto pairs = TokenFile::Open(tiny.Path("pairs"));
  ASSERT_TRUE(pairs.ok());
  PairValues values(2);
  values.Set(PairValues::kLoss, 0, 0.1);
  values.Set(PairValues::kLoss, 1, std::numeric_limits<double>::quiet_NaN());
  values.Set(PairValues::kTokensChosen, 0, 1);
  values.Set(PairValues::kTokensChosen, 1, 1);
  const std::string path = tiny.Path("evaluations/step-3.jsonl");
  ASSERT_TRUE(WriteEvaluationFile(path, *pairs, values).ok());
  const std::string name = PairName(pairs->pair(0));
  EXPECT_EQ(Slurp(path), "{\"index\":0,\"id\":\"first\",\"row\":7,\"pair\":\"" + name +
                             "\",\"loss\":0.1,\"tokens/chosen\":1.0}\n"
                             "{\"index\":1,\"row\":9,\"pair\":\"" +
                             name + "\",\"loss\":null,\"tokens/chosen\":1.0}\n");
}

}  // namespace
}  // namespace fpo::train
