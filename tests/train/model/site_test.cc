#include "train/model/site.h"

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(Site, NamesAndWidths) {
  const GemmaConfig config = TinyForTest();
  for (const Site site : {Site::kResidPost, Site::kMlpOut, Site::kAttnZ}) {
    EXPECT_EQ(*ParseSite(SiteName(site)), site);
    EXPECT_EQ(SiteWidth(config, site), site == Site::kAttnZ ? 40 : 24);
  }
  EXPECT_EQ(ShapeOf(config).layers, config.layers);
  EXPECT_EQ(ShapeOf(config).width, 24);
  EXPECT_EQ(ShapeOf(config).head_width, 40);
  EXPECT_NE(ParseSite("attn_out").status().message().find("attn_z"), std::string::npos);
}

}  // namespace
}  // namespace fpo::train
