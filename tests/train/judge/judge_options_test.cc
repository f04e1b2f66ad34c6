#include "train/judge/judge_options.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(JudgeOptionsTest, OfAJob) {
  JobConfig job;
  job.output = "/out";
  job.model = {"/m", "bfloat16"};
  job.data.template_name = "gemma";
  job.seed = 7;
  job.judge.outputs = "/a";
  job.judge.baseline = "/b";
  job.judge.order = "model_first";
  job.judge.max_pairs = 9;
  job.judge.price_in = 0.5;
  JudgeOptions options = JudgeOptionsOf(job);
  EXPECT_EQ(options.judge, "/m");
  EXPECT_EQ(options.dtype, "bfloat16");
  EXPECT_EQ(options.template_name, "gemma");
  EXPECT_EQ(options.seed, 7);
  EXPECT_EQ(options.outputs, "/a");
  EXPECT_EQ(options.baseline, "/b");
  EXPECT_EQ(options.order, "model_first");
  EXPECT_EQ(options.pairs_max, 9);
  EXPECT_EQ(options.price_in, 0.5);
  EXPECT_EQ(options.verdicts, "/out/verdicts");
  job.judge.url = "https://host/v1";
  job.judge.model = "big";
  job.judge.key_file = "/key";
  job.judge.store = "/shared";
  job.judge.parallel = 3;
  job.judge.kind = "rating";
  job.judge.questions = "/q";
  job.judge.references = "/r";
  options = JudgeOptionsOf(job);
  EXPECT_EQ(options.judge, "https://host/v1");
  EXPECT_EQ(options.endpoint.chat.model, "big");
  EXPECT_EQ(options.endpoint.key_file, "/key");
  EXPECT_EQ(options.endpoint.parallel, 3);
  EXPECT_EQ(options.verdicts, "/shared");
  EXPECT_EQ(options.kind, "rating");
  EXPECT_EQ(options.questions, "/q");
  EXPECT_EQ(options.references, "/r");
}

TEST(JudgeOptionsTest, PricesAreOfAMillionTokens) {
  JudgeOptions options;
  options.price_in = 2;
  options.price_out = 6;
  EXPECT_DOUBLE_EQ(CostOf(options, 500'000, 1'000), 1.006);
}

}  // namespace
}  // namespace fpo::train
