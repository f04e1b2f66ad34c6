#include "common/job/unfit_inputs.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using train::ScratchFolder;

class UnfitInputsTest : public ::testing::Test {
 protected:
  UnfitInputsTest() {
    PutModel("m", R"({"model_type": "gemma3_text", "num_hidden_layers": 18, "hidden_size": 640})");
    folder_.Put("sae/params.npz", "");
    PutSaeConfig(R"({"type": "sae", "hf_hook_point_in": "model.layers.12.output", "d_in": 640})");
    config_.model.path = config_.reference.path = folder_ / "m";
    config_.sae = {{folder_ / "sae", {}, ""}};
    config_.data.train = {folder_ / "d.jsonl"};
    config_.method.name = "fpo";
    config_.reference.source = "cached";
  }
  void PutModel(const std::string& name, const std::string& config) const {
    folder_.Put(name + "/config.json", config);
    folder_.Put(name + "/model.safetensors", "");
  }
  void PutSaeConfig(const std::string& json) const { folder_.Put("sae/config.json", json); }
  // "key: message" of each.
  std::vector<std::string> Problems() const {
    std::vector<std::string> texts;
    for (const JobProblem& problem : UnfitInputs(config_)) {
      texts.push_back(absl::StrCat(problem.key, ": ", problem.message));
    }
    return texts;
  }

  const ScratchFolder folder_;
  JobConfig config_;
};

TEST_F(UnfitInputsTest, AnSaeMustSayItsPlaceUnlessTheJobDoes) {
  EXPECT_THAT(Problems(), IsEmpty());
  PutSaeConfig(R"({"type": "sae", "d_in": 640})");
  EXPECT_THAT(Problems(), ElementsAre(absl::StrCat(
                              "sae.path: SAE ", folder_ / "sae",
                              " cannot be used: neither the file nor its folder says the layer; "
                              "give sae.layer")));
  config_.sae[0].layer = 3;
  EXPECT_THAT(Problems(), ElementsAre(EndsWith("says the site; give sae.site")));
  config_.sae[0].site = "mlp_out";
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(UnfitInputsTest, WeightsOfFourBitsAreNotTrainedThemselves) {
  PutModel("m", R"({"model_type": "gemma3_text", "num_hidden_layers": 18, "hidden_size": 640,
                    "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true,
                                            "bnb_4bit_quant_type": "nf4"}})");
  EXPECT_THAT(Problems(), ElementsAre(EndsWith("can be trained: adapter.kind: qlora")));
  for (const char* kind : {"lora", "qlora"}) {
    config_.adapter.kind = kind;
    EXPECT_THAT(Problems(), IsEmpty()) << kind;
  }
  config_.adapter.kind = "none";
  config_.kind = "reference";
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(UnfitInputsTest, DataFilesOfAnotherKind) {
  config_.data.train = {folder_.Put("p.jsonl", "PAR1"), folder_.Put("x.parquet", "{}"),
                        folder_.Put("l.jsonl", "version https://git-lfs.github.com/spec/v1\n"),
                        folder_.Put("g.jsonl", "{}")};
  folder_.Put("splits/train.jsonl", "");
  folder_.Put("splits/test.jsonl", "");
  config_.data.eval = {folder_ / "splits"};
  EXPECT_THAT(
      Problems(),
      ElementsAre(HasSubstr("data.train.0: "), HasSubstr("does not begin as Parquet"),
                  HasSubstr("git lfs pull"), HasSubstr("files to train on and files to test on")));
}

TEST_F(UnfitInputsTest, AnSaeOfAnotherModel) {
  config_.sae[0].layer = 13;
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("but the file is of layer 12")));
  config_.sae = {{folder_ / "sae", {}, ""}, {folder_ / "sae", {}, ""}};
  PutSaeConfig(R"({"type": "sae", "hf_hook_point_in": "model.layers.18.output"})");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("sae.0.path: "),
                                      HasSubstr("reads layer 18 but the model has layers 0-17")));
  config_.sae.pop_back();
  PutSaeConfig(R"({"type": "sae", "hf_hook_point_in": "model.layers.3.output", "d_in": 2304})");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("is 2304 wide")));
  PutSaeConfig(R"({"type": "transcoder"})");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("only sae is read")));
  config_.method.name = "dpo";
  EXPECT_THAT(Problems(), IsEmpty()) << "not read";
}

TEST_F(UnfitInputsTest, APlaceThatTheJobNamesItself) {
  config_.sae = {{"", 18, "resid_post"}};
  config_.method.features = "hidden";
  EXPECT_THAT(Problems(), ElementsAre("sae.layer: sae.layer is 18 but the model has layers 0-17"));
  config_.kind = "sae";
  config_.method = {};
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("sae.layer is 18")));
  config_.sae[0].layer = 17;
  EXPECT_THAT(Problems(), IsEmpty());
}

TEST_F(UnfitInputsTest, ModelsAndDataOfAnotherKind) {
  PutModel("r", R"({"model_type": "mistral"})");
  config_.reference.path = folder_ / "r";
  config_.data.eval = {folder_ / "d.csv"};
  EXPECT_THAT(Problems(),
              ElementsAre(HasSubstr("reference.path: folder"), HasSubstr("data.eval: ")));
}

TEST_F(UnfitInputsTest, WhatIsNotHereIsSaidElsewhere) {
  config_.model.path = config_.reference.path = folder_ / "none";
  config_.sae[0].path = folder_ / "none.npz";
  EXPECT_THAT(Problems(), IsEmpty());
}

}  // namespace
}  // namespace fpo
