#include "common/inputs/sae_source.h"

#include "gmock/gmock.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using train::ScratchFolder;

class SaeSourceTest : public ::testing::Test {
 protected:
  std::string ErrorOf(const std::string& name) const {
    const auto source = FindSaeSource(folder_ / name);
    EXPECT_TRUE(absl::IsInvalidArgument(source.status())) << source.status();
    return std::string(source.status().message());
  }
  const ScratchFolder folder_;
};

constexpr char kSparsify[] = R"({"num_latents":0,"expansion_factor":4,"k":8,"d_in":24})";

TEST_F(SaeSourceTest, WhoseFilesTheyAre) {
  folder_.Put("scope/params.npz", "x");
  EXPECT_EQ(FindSaeSource(folder_ / "scope")->format, SaeFormat::kGemmaScope);
  folder_.Put("lens/sae_weights.safetensors", "x");
  folder_.Put("lens/sparsity.safetensors", "x");
  folder_.Put("lens/cfg.json", R"({"d_sae":64})");
  const auto lens = FindSaeSource(folder_ / "lens");
  EXPECT_EQ(lens->format, SaeFormat::kSaeLens);
  EXPECT_THAT(lens->config, EndsWith("lens/cfg.json"));
  EXPECT_EQ(FindSaeSource(folder_ / "lens/sae_weights.safetensors")->format, SaeFormat::kSaeLens);
  folder_.Put("layers.3/sae.safetensors", "x");
  folder_.Put("layers.3/cfg.json", kSparsify);
  EXPECT_EQ(FindSaeSource(folder_ / "layers.3")->format, SaeFormat::kSparsify);
  folder_.Put("dict/ae.safetensors", "x");
  folder_.Put("dict/config.json", R"({"trainer":{"dict_class":"AutoEncoder"},"buffer":{}})");
  const auto dict = FindSaeSource(folder_ / "dict");
  ASSERT_TRUE(dict.ok()) << dict.status();
  EXPECT_EQ(dict->format, SaeFormat::kDictionaryLearning);
  EXPECT_THAT(dict->weights, EndsWith("dict/ae.safetensors"));
  folder_.Put("named/mine.safetensors", "x");
  folder_.Put("named/cfg.json", R"({"architecture":"jumprelu","d_sae":64})");
  EXPECT_EQ(FindSaeSource(folder_ / "named")->format, SaeFormat::kSaeLens);
}

TEST_F(SaeSourceTest, PicklesAreNamedWithTheCommand) {
  folder_.Put("dict/ae.pt", "x");
  folder_.Put("dict/config.json", R"({"trainer":{}})");
  EXPECT_THAT(ErrorOf("dict"), AllOf(HasSubstr("dict/ae.pt"), HasSubstr("pickle"),
                                     HasSubstr("save_file"), HasSubstr("ae.safetensors")));
  EXPECT_THAT(ErrorOf("dict/ae.pt"), HasSubstr("weights_only=True"));
}

TEST_F(SaeSourceTest, FoldersWithoutOrWithSeveral) {
  folder_.Put("many/layers.3/cfg.json", "{}");
  folder_.Put("many/layers.4/cfg.json", "{}");
  EXPECT_THAT(ErrorOf("many"), AllOf(HasSubstr("several SAEs"), HasSubstr("layers.3")));
  folder_.Put("none/readme", "x");
  EXPECT_THAT(ErrorOf("none"), HasSubstr("neither params.npz"));
  EXPECT_THAT(ErrorOf("none/readme"), HasSubstr("unknown ending"));
  EXPECT_TRUE(absl::IsNotFound(FindSaeSource(folder_ / "nowhere").status()));
}

}  // namespace
}  // namespace fpo
