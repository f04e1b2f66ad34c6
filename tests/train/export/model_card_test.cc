#include "train/export/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

JobConfig CardJob() {
  JobConfig job;
  job.name = "my-run";
  job.model.path = "/home/ann/models/gemma-2-2b/";
  job.data.train = {"/home/ann/data/pairs.jsonl.gz"};
  job.method.name = "fpo";
  job.sae = {SaeSection{"/home/ann/saes/params.npz", 12, "resid_post"}};
  return job;
}
constexpr char kRun[] =
    R"({"version":"1.2","total_steps":9,"model":{"digest":"abc"},"data":{"train_pairs":40,"digest":"def"},)"
    R"("sae":[{"digest":"ghi"}],"recipe_id":"jkl","result":{"eval_loss":0.625,"device_name":"H200","loss":1}})";

TEST(ModelCard, SaysWhatTheModelIsAndNoPathOfThisMachine) {
  const std::string card = ModelCard(CardJob(), kRun, {9, true, true});
  EXPECT_THAT(card, HasSubstr("# my-run\n"));
  EXPECT_THAT(card, HasSubstr("| Trained from | gemma-2-2b (`abc`) |"));
  EXPECT_THAT(card, HasSubstr("| Method | fpo, beta "));
  EXPECT_THAT(card, HasSubstr("| Data | pairs.jsonl.gz, 40 rows (`def`) |"));
  EXPECT_THAT(card, HasSubstr("| Sparse autoencoder | params.npz (`ghi`) |"));
  EXPECT_THAT(card, HasSubstr("| Step | 9 |"));
  EXPECT_THAT(card, HasSubstr("| eval_loss | 0.625 |"));
  EXPECT_THAT(card, HasSubstr("apply_chat_template"));
  EXPECT_THAT(card, Not(HasSubstr("/home")));
  EXPECT_THAT(card, Not(HasSubstr("device_name")));
}

TEST(ModelCard, OfACheckpointHasNoResult) {
  const std::string card = ModelCard(CardJob(), kRun, {3, false, false});
  EXPECT_THAT(card, HasSubstr("| Step | 3 of 9 |"));
  EXPECT_THAT(card, Not(HasSubstr("eval_loss")));
  EXPECT_THAT(card, Not(HasSubstr("apply_chat_template")));
}

TEST(ModelCard, FactsThatAreMissingAreLeftOut) {
  const std::string card = ModelCard(CardJob(), "", {3, true, false});
  EXPECT_THAT(card, HasSubstr("| Trained from | gemma-2-2b |"));
  EXPECT_THAT(card, Not(HasSubstr("Reference records")));
}

}  // namespace
}  // namespace fpo::train
