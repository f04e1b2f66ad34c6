#include "common/inputs/sae_fit.h"

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

absl::Status ResolveNormalisation(const std::string& path, const std::string& option,
                                  SaeDescription* description) {
  if (description->normalization.empty()) return absl::OkStatus();
  const std::string name = description->normalization;
  description->normalization.clear();
  if (option == "folded") {
    if (description->norm_factor) {
      description->notes.push_back(absl::StrCat(
          "SAE ", path, ": a file beside it states the factor ", *description->norm_factor,
          " of its activations, which is not applied: sae.normalization is folded"));
      description->norm_factor.reset();
    }
    return absl::OkStatus();
  }
  if (description->norm_factor) {
    description->notes.push_back(absl::StrCat("SAE ", path, ": its activations were multiplied by ",
                                              *description->norm_factor,
                                              " in training; this is folded into its arrays"));
    return absl::OkStatus();
  }
  return Unusable(
      path, absl::StrCat("normalize_activations is ", name,
                         ", and no file states the factor or whether it is folded into the arrays; "
                         "if it is, as in SAEs that SAELens saved when their training ended, set "
                         "sae.normalization: folded; else fold it with SAELens "
                         "(sae.fold_activation_norm_scaling_factor) and save the SAE again"));
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
