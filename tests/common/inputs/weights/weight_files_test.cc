#include "common/inputs/weights/weight_files.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using train::ScratchFolder;

class WeightFilesTest : public ::testing::Test {
 protected:
  void Put(const std::string& name, const std::string& text = "x") const {
    folder_.Put("m/" + name, text);
  }
  void PutIndex(const std::string& name, const std::vector<std::string>& shards) const {
    std::vector<std::string> map;
    for (const std::string& shard : shards) map.push_back("\"t" + shard + "\": \"" + shard + "\"");
    Put(name, absl::StrCat("{\"weight_map\": {", absl::StrJoin(map, ", "), "}}"));
  }
  // Names of the chosen files, or the error.
  std::vector<std::string> Chosen() const {
    const auto chosen = ChooseWeightFiles(folder_ / "m");
    if (!chosen.ok()) return {std::string(chosen.status().message())};
    std::vector<std::string> names;
    for (const auto& file : chosen->files) names.push_back(file.substr(file.rfind('/') + 1));
    return names;
  }
  std::string Notes() const { return absl::StrJoin(ChooseWeightFiles(folder_ / "m")->notes, "\n"); }
  const ScratchFolder folder_;
};

constexpr char kFirst[] = "model-00001-of-00002.safetensors";
constexpr char kSecond[] = "model-00002-of-00002.safetensors";
constexpr char kIndexName[] = "model.safetensors.index.json";

// diffusers #14719: saving again as one file leaves the old index.
TEST_F(WeightFilesTest, ASingleFileWinsOverAnIndexAsInTransformers) {
  Put("model.safetensors");
  PutIndex(kIndexName, {kFirst, kSecond});
  EXPECT_THAT(Chosen(), ElementsAre("model.safetensors"));
  EXPECT_THAT(Notes(), HasSubstr("both model.safetensors and model.safetensors.index.json"));
  Put(kFirst);
  Put(kSecond);
  EXPECT_THAT(Chosen(), ElementsAre("model.safetensors"));
  EXPECT_THAT(Notes(), HasSubstr(absl::StrCat(kFirst, ", ", kSecond, "; read is")));
}

TEST_F(WeightFilesTest, AnIndexNamesItsShards) {
  PutIndex(kIndexName, {kFirst, kSecond});
  Put(kFirst);
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr(absl::StrCat("lacks the shards ", kSecond))));
  Put(kSecond);
  EXPECT_THAT(Chosen(), ElementsAre(kFirst, kSecond));
  EXPECT_EQ(Notes(), "");
  Put("model-00001-of-00003.safetensors");  // of an older save
  EXPECT_THAT(Chosen(), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(Notes(), HasSubstr("model-00001-of-00003.safetensors"));
}

TEST_F(WeightFilesTest, ABrokenIndexIsNamed) {
  for (const char* text :
       {"{", "[]", R"({"weight_map": 3})", R"({"weight_map": {}})",
        R"({"weight_map": {"a": "../x.safetensors"}})", R"({"weight_map": {"a": 3}})"}) {
    Put(kIndexName, text);
    EXPECT_TRUE(absl::IsDataLoss(ChooseWeightFiles(folder_ / "m").status())) << text;
  }
  PutIndex(kIndexName, {"pytorch_model-00001-of-00002.bin"});
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("which is no safetensors file")));
  Put(kIndexName, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("git lfs pull")));
}

TEST_F(WeightFilesTest, ShardsWithoutAnIndexWhenAllAreThere) {
  Put(kFirst);
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("not all shards")));
  Put(kSecond);
  EXPECT_THAT(Chosen(), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(Notes(), HasSubstr("has no model.safetensors.index.json"));
  Put("model-00003-of-00003.safetensors");
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("not all shards")));
}

TEST_F(WeightFilesTest, OtherFilesAreNotReadAndNamed) {
  Put("model.safetensors");
  Put("model.fp16.safetensors");
  Put("consolidated.safetensors");
  Put("pytorch_model.bin");  // what transformers writes beside it is nobody's surprise
  Put("optimizer.safetensors");
  EXPECT_THAT(Chosen(), ElementsAre("model.safetensors"));
  EXPECT_THAT(Notes(), HasSubstr("consolidated.safetensors, model.fp16.safetensors; read is"));
}

TEST_F(WeightFilesTest, ConfigMayNameTheFile) {
  Put("model.safetensors");
  Put("config.json", R"({"transformers_weights": "ema.safetensors"})");
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("lacks ema.safetensors")));
  Put("ema.safetensors");
  EXPECT_THAT(Chosen(), ElementsAre("ema.safetensors"));
  Put("config.json", R"({"transformers_weights": "../x.safetensors"})");
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("in the same folder is needed")));
}

TEST_F(WeightFilesTest, NothingAndOtherWeights) {
  EXPECT_TRUE(absl::IsNotFound(ChooseWeightFiles(folder_ / "m").status()));
  Put("config.json", "{}");
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("has no *.safetensors")));
  Put("pytorch_model.bin");
  EXPECT_THAT(Chosen(), ElementsAre(HasSubstr("pickle")));
}

}  // namespace
}  // namespace fpo
