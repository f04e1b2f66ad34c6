#include "common/inputs/sae_fit.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(SaeFit, TheJobCompletesWhatTheSaeSays) {
  SaeDescription sae;
  EXPECT_THAT(Text(ResolvePlace("s", {}, "", &sae)),
              HasSubstr("neither the file nor its folder says the layer; give sae.layer"));
  EXPECT_THAT(Text(ResolvePlace("s", 3, "", &sae)),
              HasSubstr("neither the file nor its folder says the site; give sae.site"));
  EXPECT_TRUE(ResolvePlace("s", 3, "mlp_out", &sae).ok());
  EXPECT_EQ(sae.layer, 3);
  EXPECT_EQ(sae.site, "mlp_out");
  EXPECT_THAT(Text(ResolvePlace("s", 4, "", &sae)), HasSubstr("but the file is of layer 3"));
  EXPECT_THAT(Text(ResolvePlace("s", 3, "attn_z", &sae)), HasSubstr("but the file is of mlp_out"));
  SaeDescription other;
  EXPECT_THAT(Text(ResolvePlace("s", 3, "attn_out", &other)), HasSubstr("is none of resid_post"));
}

TEST(SaeFit, LayerAndWidthAreTheModels) {
  ModelShape model;
  model.layers = 18;
  model.width = 640;
  model.head_width = 1024;
  const auto fit = [&](int64_t layer, const char* site, std::optional<int64_t> width) {
    SaeDescription sae;
    sae.layer = layer;
    sae.site = site;
    sae.d_in = width;
    return Text(CheckSaeFits("s", sae, model));
  };
  EXPECT_EQ(fit(17, "resid_post", 640), "");
  EXPECT_EQ(fit(17, "attn_z", 1024), "");
  EXPECT_EQ(fit(17, "resid_post", {}), "") << "its file has to be read for that";
  EXPECT_EQ(fit(18, "resid_post", 640),
            "SAE s reads layer 18 but the model has layers 0-17; use an SAE trained on this model");
  EXPECT_EQ(fit(3, "mlp_out", 1024),
            "SAE s is 1024 wide but site mlp_out of layer 3 of the model is 640 wide; use an SAE "
            "trained on this model and site");
  EXPECT_THAT(fit(3, "attn_z", 640), HasSubstr("is 1024 wide"));
  EXPECT_EQ(Text(CheckLayer(18, model)), "sae.layer is 18 but the model has layers 0-17");
  EXPECT_TRUE(CheckLayer(17, model).ok());
  model = {};
  EXPECT_EQ(fit(18, "attn_z", 640), "") << "the model does not say";
  EXPECT_TRUE(CheckLayer(18, model).ok());
}

}  // namespace
}  // namespace fpo
