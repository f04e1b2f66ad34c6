#include "train/model/site.h"

#include "absl/strings/str_cat.h"

namespace fpo::train {

absl::StatusOr<Site> ParseSite(absl::string_view name) {
  if (name == "resid_post") return Site::kResidPost;
  if (name == "mlp_out") return Site::kMlpOut;
  if (name == "attn_z") return Site::kAttnZ;
  return absl::InvalidArgumentError(
      absl::StrCat("SAE site is \"", name, "\"; allowed are resid_post, mlp_out and attn_z"));
}

std::string SiteName(Site site) {
  switch (site) {
    case Site::kMlpOut:
      return "mlp_out";
    case Site::kAttnZ:
      return "attn_z";
    case Site::kResidPost:
      break;
  }
  return "resid_post";
}

int64_t SiteWidth(const GemmaConfig& config, Site site) {
  return site == Site::kAttnZ ? config.heads * config.head_dim : config.hidden_size;
}

ModelShape ShapeOf(const GemmaConfig& config) {
  ModelShape shape;
  shape.family = config.family().name;
  shape.layers = config.layers;
  shape.width = config.hidden_size;
  shape.head_width = config.heads * config.head_dim;
  return shape;
}

}  // namespace fpo::train
