// What may change without its records going stale, and what may not: every trial ends in a miss or
// in none, never in a wrong hit.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "common/files/durable_file.h"
#include "common/hash.h"
#include "common/reference/record_key.h"
#include "tests/train/support/tiny_run.h"
#include "train/formats/sae_files.h"
#include "train/formats/safetensors_directory.h"
#include "train/formats/safetensors_writer.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/reference_plan.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

class StaleReferenceTest : public ::testing::Test {
 protected:
  StaleReferenceTest() : job_(AllData(tiny_.Job("fpo"))), before_(Plan()) {}
  // Order and batch size decide what a run of a few steps reads, not what a record is.
  static JobConfig AllData(JobConfig job) {
    job.max_steps.reset();
    return job;
  }
  struct Identity {
    std::string recipe_id;
    std::set<Digest> keys;
  };
  Identity Plan() const {
    const auto count = PlanReference(job_, tiny_.Path("prepared"), at::kCPU);
    EXPECT_TRUE(count.ok()) << count.status();
    const auto keys = ReadKeysFile(tiny_.Path("prepared/reference.keys"));
    const auto json = nlohmann::json::parse(Slurp(tiny_.Path("prepared/reference.json")));
    return {json.at("recipe_id"), {keys->begin(), keys->end()}};
  }
  void ExpectMiss(const char* what) const {
    EXPECT_NE(Plan().recipe_id, before_.recipe_id) << what;
  }
  void ExpectHit(const char* what) const {
    EXPECT_EQ(Plan().recipe_id, before_.recipe_id) << what;
    EXPECT_EQ(Plan().keys, before_.keys) << what;
  }
  // Rewrites the model with `change` applied to its tensors.
  template <typename Change>
  void ChangeWeights(const Change& change) const {
    TensorMap weights;
    {
      const auto directory = SafetensorsDirectory::Open(tiny_.Path("model"));
      for (const std::string& name : directory->Names()) {
        weights[name] = directory->Tensor(name)->clone();
      }
    }
    change(weights);
    ASSERT_TRUE(WriteSafetensors(tiny_.Path("model/model.safetensors"), weights).ok());
  }
  void ReplaceInConfig(const std::string& before, const std::string& after) const {
    std::string text = Slurp(tiny_.Path("model/config.json"));
    const size_t place = text.find(before);
    ASSERT_NE(place, std::string::npos);
    text.replace(place, before.size(), after);
    ASSERT_TRUE(WriteFileAtomically(tiny_.Path("model/config.json"), text).ok());
  }
  template <typename Change>
  void ChangeSae(const Change& change) const {
    auto sae = LoadSaeFile(tiny_.Path("sae/params.npz"), {}, "");
    ASSERT_TRUE(sae.ok()) << sae.status();
    change(*sae);
    ASSERT_TRUE(WriteSaeFile(tiny_.Path("sae"), *sae).ok());
  }
  const TinyRun tiny_;
  JobConfig job_;
  const Identity before_;
};

TEST_F(StaleReferenceTest, OneWeightByOneUlp) {
  ChangeWeights([](TensorMap& weights) {
    float* first = weights.begin()->second.data_ptr<float>();
    *first = std::nextafter(*first, 10.0f);
  });
  ExpectMiss("one ulp");
}

TEST_F(StaleReferenceTest, ConfigValuesOfTheForward) {
  ReplaceInConfig("\"final_logit_softcapping\": 30.0", "\"final_logit_softcapping\": 29.0");
  ExpectMiss("softcap");
  ReplaceInConfig("\"final_logit_softcapping\": 29.0", "\"final_logit_softcapping\": 30.0");
  ExpectHit("restored");
  ReplaceInConfig("\"sliding_window\": 4", "\"sliding_window\": 5");
  ExpectMiss("window");
}

TEST_F(StaleReferenceTest, ThresholdLayerSiteAndDtype) {
  job_.model.dtype = "bfloat16";
  ExpectMiss("dtype");
  job_.model.dtype = "float32";
  ChangeSae([](SaeParameters& sae) { sae.threshold[3] += 1e-6; });
  ExpectMiss("threshold");
  ChangeSae([](SaeParameters& sae) { sae.threshold[3] -= 1e-6; });
  ChangeSae([](SaeParameters& sae) { sae.layer = 0; });
  ExpectMiss("layer");
  ChangeSae([](SaeParameters& sae) {
    sae.layer = 1;
    sae.site = "mlp_out";
  });
  ExpectMiss("site");
  job_.reference.features = "top";
  ExpectMiss("kept features");
}

TEST_F(StaleReferenceTest, PoolingOfTheHiddenVectorIsAnotherRecipe) {
  job_.method.features = "hidden";
  job_.sae = {SaeSection{"", 1, "resid_post"}};
  ExpectMiss("hidden");
}

// Another tokenizer or a cut at another max_length reaches the records through the ids alone.
TEST_F(StaleReferenceTest, OneTokenMissesItsOwnResponsesOnly) {
  std::vector<TokenPair> pairs = RandomPairs(12, 7);  // as TinyRun wrote them
  pairs[2].prompt[1] ^= 1;                            // both sides of this pair
  pairs[5].chosen[0] ^= 1;
  pairs[8].rejected.pop_back();  // cut shorter
  TokenFileWriter writer;
  for (const TokenPair& pair : pairs) writer.Add(pair);
  ASSERT_TRUE(writer.Write(tiny_.Path("prepared/train.safetensors"), {}).ok());
  const Identity after = Plan();
  EXPECT_EQ(after.recipe_id, before_.recipe_id);
  int missing = 0;
  for (const Digest& key : after.keys) missing += before_.keys.count(key) == 0 ? 1 : 0;
  EXPECT_EQ(missing, 4);
}

TEST_F(StaleReferenceTest, NamesOrderAndEveryOptionOfTheLossDoNotMatter) {
  fs::rename(tiny_.Path("model"), tiny_.Path("renamed"));
  job_.model.path = job_.reference.path = tiny_.Path("renamed");
  ExpectHit("renamed folder");
  job_.name = "other";
  job_.method.top_k = 3;
  job_.method.beta = 7;
  job_.method.alpha = 0;
  job_.method.feature_selection = "policy";
  job_.method.label_smoothing = 0.1;
  job_.method.stop_gradient = false;
  job_.optimizer.lr = 1;
  job_.seed = 9;
  job_.batch.pairs = 3;
  ExpectHit("options of the loss and the loop");
  std::vector<TokenPair> pairs = RandomPairs(12, 7);
  std::reverse(pairs.begin(), pairs.end());
  TokenFileWriter writer;
  for (const TokenPair& pair : pairs) writer.Add(pair);
  ASSERT_TRUE(writer.Write(tiny_.Path("prepared/train.safetensors"), {}).ok());
  ExpectHit("row order");
}

// Swapping the names of two models' folders makes neither's records pass for the other's.
TEST_F(StaleReferenceTest, SwappedFoldersAreSeen) {
  tiny_.WriteModel("other", 2);
  fs::rename(tiny_.Path("model"), tiny_.Path("aside"));
  fs::rename(tiny_.Path("other"), tiny_.Path("model"));
  ExpectMiss("another model under the old name");
  job_.model.path = job_.reference.path = tiny_.Path("aside");
  ExpectHit("the old model under another name");
}

}  // namespace
}  // namespace fpo::train
