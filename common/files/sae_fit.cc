#include "common/files/sae_fit.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fpo {
namespace {

absl::Status Unusable(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("SAE ", path, " cannot be used: ", why));
}

bool HasLayer(const ModelShape& model, int64_t layer) {
  return layer >= 0 && (model.layers == 0 || layer < model.layers);
}

}  // namespace

absl::Status ResolvePlace(const std::string& path, std::optional<int64_t> layer,
                          const std::string& site, SaeDescription* description) {
  if (layer && description->layer && *layer != *description->layer) {
    return Unusable(path, absl::StrCat("sae.layer is ", *layer, ", but the file is of layer ",
                                       *description->layer));
  }
  if (!site.empty() && !description->site.empty() && site != description->site) {
    return Unusable(path,
                    absl::StrCat("sae.site is ", site, ", but the file is of ", description->site));
  }
  if (layer) description->layer = layer;
  if (!site.empty()) description->site = site;
  if (!description->layer) {
    return Unusable(path, "neither the file nor its folder says the layer; give sae.layer");
  }
  if (description->site.empty()) {
    return Unusable(path, "neither the file nor its folder says the site; give sae.site");
  }
  if (HookName(0, description->site).empty()) {
    return Unusable(
        path, absl::StrCat("site ", description->site, " is none of resid_post, mlp_out, attn_z"));
  }
  return absl::OkStatus();
}

absl::Status CheckSaeFits(const std::string& path, const SaeDescription& sae,
                          const ModelShape& model) {
  if (sae.layer && !HasLayer(model, *sae.layer)) {
    return absl::InvalidArgumentError(absl::StrCat("SAE ", path, " reads layer ", *sae.layer,
                                                   " but the model has layers 0-", model.layers - 1,
                                                   "; use an SAE trained on this model"));
  }
  const int64_t width = sae.site == "attn_z" ? model.head_width : model.width;
  if (sae.d_in && width > 0 && *sae.d_in != width) {
    const std::string layer = sae.layer ? absl::StrCat(" of layer ", *sae.layer) : "";
    return absl::InvalidArgumentError(absl::StrCat("SAE ", path, " is ", *sae.d_in,
                                                   " wide but site ", sae.site, layer,
                                                   " of the model is ", width,
                                                   " wide; use an SAE trained on this model and "
                                                   "site"));
  }
  return absl::OkStatus();
}

absl::Status CheckLayer(int64_t layer, const ModelShape& model) {
  if (HasLayer(model, layer)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("sae.layer is ", layer, " but the model has layers 0-", model.layers - 1));
}

}  // namespace fpo
