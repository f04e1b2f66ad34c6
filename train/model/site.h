#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/inputs/model_shape.h"
#include "train/model/gemma_config.h"

namespace fpo::train {

// Where an SAE reads the model. All are raw values: resid_post of the last layer is the block
// output before the final norm.
enum class Site {
  kResidPost,  // block output, hidden_size wide
  kMlpOut,     // MLP branch as it is added: behind its norm where it has one, hidden_size wide
  kAttnZ,      // attention output before the output projection, heads * head_dim wide
};

absl::StatusOr<Site> ParseSite(absl::string_view name);  // resid_post | mlp_out | attn_z
std::string SiteName(Site site);
int64_t SiteWidth(const GemmaConfig& config, Site site);

// The model's kind and sizes, to check an SAE against; the context length is not set.
ModelShape ShapeOf(const GemmaConfig& config);

struct Tap {
  int64_t layer = 0;
  Site site = Site::kResidPost;
};

// Another value for a site, with which the model goes on: what depends on an SAE's reconstruction
// of it, or on nothing being there. `apply`: [batch, seq, width] -> the same shape and dtype.
struct SiteEdit {
  Tap tap;
  std::function<at::Tensor(const at::Tensor& values)> apply;
};

}  // namespace fpo::train
