#include "worker/trainer/checkpoint/sae_files.h"

#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/trainer/checkpoint/durable_file.h"
#include "worker/trainer/checkpoint/npz.h"
#include "worker/trainer/checkpoint/sae_config.h"
#include "worker/trainer/checkpoint/safetensors.h"
#include "worker/trainer/checkpoint/tensor_type.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, at::Tensor>;  // by lower-case name

absl::Status Refuse(const std::string& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("SAE ", file, " cannot be used: ", why));
}

// The file or folder that `path` stands for, and which of the three kinds it is.
struct SaeSource {
  std::string weights;
  std::string config;  // may be absent
  bool saelens = false;
};

absl::StatusOr<SaeSource> FindSource(const std::string& path) {
  std::error_code error;
  const fs::path given(path);
  if (!fs::exists(given, error)) {
    return absl::NotFoundError(absl::StrCat("there is no SAE file or folder ", path));
  }
  const bool folder = fs::is_directory(given, error);
  const fs::path home = folder ? given : given.parent_path();
  if (folder) {
    if (fs::exists(home / "cfg.json", error) &&
        fs::exists(home / "sae_weights.safetensors", error)) {
      return SaeSource{(home / "sae_weights.safetensors").string(), (home / "cfg.json").string(),
                       true};
    }
    for (const char* name : {"params.npz", "params.safetensors"}) {
      if (fs::exists(home / name, error)) {
        return SaeSource{(home / name).string(), (home / "config.json").string()};
      }
    }
    return Refuse(path,
                  "the folder has neither params.npz, params.safetensors nor cfg.json with "
                  "sae_weights.safetensors");
  }
  const std::string ending = given.extension().string();
  if (ending == ".pt" || ending == ".pth" || ending == ".bin" || ending == ".pkl") {
    return Refuse(path, "pickle files can run code when read; convert it to safetensors or npz");
  }
  if (ending != ".npz" && ending != ".safetensors") {
    return Refuse(path,
                  absl::StrCat("unknown ending \"", ending, "\"; .npz and .safetensors are read"));
  }
  if (given.filename() == "sae_weights.safetensors" && fs::exists(home / "cfg.json", error)) {
    return SaeSource{path, (home / "cfg.json").string(), true};
  }
  return SaeSource{path, (home / "config.json").string()};
}

absl::StatusOr<Arrays> ReadArrays(const std::string& path) {
  Arrays raw;
  if (absl::EndsWith(path, ".npz")) {
    FPO_ASSIGN_OR_RETURN(raw, ReadNpz(path));
  } else {
    FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
    for (const auto& [name, entry] : file->entries()) {
      FPO_ASSIGN_OR_RETURN(raw[name], file->Tensor(name));
    }
  }
  Arrays arrays;
  for (auto& [name, tensor] : raw) arrays[absl::AsciiStrToLower(name)] = std::move(tensor);
  return arrays;
}

// What names and configs say together; a contradiction is an error, not a choice.
absl::Status Merge(const SaeDescription& from, const std::string& file, SaeDescription* into) {
  if (from.layer && into->layer && *from.layer != *into->layer) {
    return Refuse(file, absl::StrCat("its config says layer ", *from.layer, ", its folder layer ",
                                     *into->layer));
  }
  if (!from.site.empty() && !into->site.empty() && from.site != into->site) {
    return Refuse(file,
                  absl::StrCat("its config says site ", from.site, ", its folder ", into->site));
  }
  if (from.layer) into->layer = from.layer;
  if (!from.site.empty()) into->site = from.site;
  if (from.target_l0) into->target_l0 = from.target_l0;
  if (from.l0) into->l0 = from.l0;
  into->apply_b_dec_to_input |= from.apply_b_dec_to_input;
  into->plain_relu |= from.plain_relu;
  return absl::OkStatus();
}

absl::StatusOr<SaeDescription> Describe(const SaeSource& source) {
  std::error_code error;
  // The absolute path: a relative one may begin below the folder that names the site.
  const fs::path full = fs::absolute(source.weights, error);
  FPO_ASSIGN_OR_RETURN(SaeDescription description, DescribeSaePath(full.string()));
  if (fs::exists(source.config, error)) {
    FPO_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(source.config, 1 << 24));
    FPO_ASSIGN_OR_RETURN(const SaeDescription said, source.saelens
                                                        ? ParseSaeLensConfig(text, source.config)
                                                        : ParseSaeConfig(text, source.config));
    FPO_RETURN_IF_ERROR(Merge(said, source.config, &description));
  }
  // The residual repositories are the ones without a site in their names.
  if (description.site.empty() && description.layer && absl::EndsWith(source.weights, ".npz")) {
    description.site = "resid_post";
  }
  return description;
}

absl::Status Settle(const std::string& path, std::optional<int64_t> layer, const std::string& site,
                    SaeDescription* description) {
  if (layer && description->layer && *layer != *description->layer) {
    return Refuse(path, absl::StrCat("sae.layer is ", *layer, ", but the file is of layer ",
                                     *description->layer));
  }
  if (!site.empty() && !description->site.empty() && site != description->site) {
    return Refuse(path,
                  absl::StrCat("sae.site is ", site, ", but the file is of ", description->site));
  }
  if (layer) description->layer = layer;
  if (!site.empty()) description->site = site;
  if (!description->layer) {
    return Refuse(path, "neither the file nor its folder says the layer; give sae.layer");
  }
  if (description->site.empty()) {
    return Refuse(path, "neither the file nor its folder says the site; give sae.site");
  }
  if (HookName(0, description->site).empty()) {
    return Refuse(
        path, absl::StrCat("site ", description->site, " is none of resid_post, mlp_out, attn_z"));
  }
  return absl::OkStatus();
}

absl::Status CheckNames(const Arrays& arrays, const std::string& file) {
  for (const auto& [name, tensor] : arrays) {
    if (absl::StrContains(name, "skip") || absl::StrContains(name, "affine")) {
      return Refuse(file, absl::StrCat("array ", name, " makes it an affine (skip) transcoder"));
    }
    if (name == "scaling_factor" && !tensor.to(at::kFloat).eq(1).all().item<bool>()) {
      return Refuse(file, "its scaling_factor is not all ones");
    }
  }
  for (const char* name : {"w_enc", "b_enc"}) {
    if (arrays.count(name) == 0) return Refuse(file, absl::StrCat("array ", name, " is missing"));
  }
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> Take(const Arrays& arrays, const std::string& name,
                                const std::vector<int64_t>& shape, const std::string& file) {
  const at::Tensor& stored = arrays.at(name);
  if (stored.sizes().vec() != shape) {
    return Refuse(file, absl::StrCat("array ", name, " has shape ", ShapeText(stored.sizes().vec()),
                                     ", expected ", ShapeText(shape)));
  }
  at::Tensor tensor = stored.to(at::kFloat).contiguous();
  if (!at::isfinite(tensor).all().item<bool>()) {
    return Refuse(file, absl::StrCat("array ", name, " holds values that are not finite"));
  }
  return tensor;
}

absl::Status FillArrays(const Arrays& arrays, bool plain_relu, const std::string& file,
                        SaeParameters* sae) {
  FPO_RETURN_IF_ERROR(CheckNames(arrays, file));
  const at::Tensor& w_enc = arrays.at("w_enc");
  if (w_enc.dim() != 2 || w_enc.numel() == 0) {
    return Refuse(file, absl::StrCat("w_enc has shape ", ShapeText(w_enc.sizes().vec()),
                                     ", expected [width, features]"));
  }
  const int64_t width = w_enc.size(0), features = w_enc.size(1);
  FPO_ASSIGN_OR_RETURN(sae->w_enc, Take(arrays, "w_enc", {width, features}, file));
  FPO_ASSIGN_OR_RETURN(sae->b_enc, Take(arrays, "b_enc", {features}, file));
  if (arrays.count("w_dec") != 0) {
    FPO_ASSIGN_OR_RETURN(sae->w_dec, Take(arrays, "w_dec", {features, width}, file));
  }
  if (arrays.count("b_dec") != 0) {
    FPO_ASSIGN_OR_RETURN(sae->b_dec, Take(arrays, "b_dec", {width}, file));
  } else if (sae->apply_b_dec_to_input) {
    return Refuse(file, "apply_b_dec_to_input needs the array b_dec");
  } else {
    sae->b_dec = at::zeros({width}, at::kFloat);
  }
  if (arrays.count("threshold") != 0) {
    FPO_ASSIGN_OR_RETURN(sae->threshold, Take(arrays, "threshold", {features}, file));
  } else if (plain_relu) {
    sae->threshold = at::zeros({features}, at::kFloat);
  } else {
    return Refuse(file, "a JumpReLU SAE needs the array threshold");
  }
  return absl::OkStatus();
}

Digest DigestOf(const SaeParameters& sae) {
  Sha256 hash;
  hash.Update(absl::StrCat("sae:", sae.layer, ":", sae.site, ":", sae.apply_b_dec_to_input, "\n"));
  const std::pair<const char*, const at::Tensor*> parts[] = {{"w_enc", &sae.w_enc},
                                                             {"w_dec", &sae.w_dec},
                                                             {"b_enc", &sae.b_enc},
                                                             {"b_dec", &sae.b_dec},
                                                             {"threshold", &sae.threshold}};
  for (const auto& [name, tensor] : parts) {
    if (!tensor->defined()) continue;
    hash.Update(absl::StrCat(name, ":", ShapeText(tensor->sizes().vec()), "\n"));
    hash.Update(absl::string_view(static_cast<const char*>(tensor->const_data_ptr()),
                                  static_cast<size_t>(tensor->numel() * tensor->element_size())));
  }
  return hash.Finish();
}

}  // namespace

absl::StatusOr<SaeParameters> LoadSaeFile(const std::string& path, std::optional<int64_t> layer,
                                          const std::string& site) {
  FPO_ASSIGN_OR_RETURN(const SaeSource source, FindSource(path));
  FPO_ASSIGN_OR_RETURN(SaeDescription description, Describe(source));
  FPO_RETURN_IF_ERROR(Settle(path, layer, site, &description));
  FPO_ASSIGN_OR_RETURN(const Arrays arrays, ReadArrays(source.weights));
  SaeParameters sae;
  sae.layer = *description.layer;
  sae.site = description.site;
  sae.target_l0 = description.target_l0;
  sae.l0 = description.l0;
  sae.apply_b_dec_to_input = description.apply_b_dec_to_input;
  sae.source = source.saelens                           ? "saelens"
               : absl::EndsWith(source.weights, ".npz") ? "gemma-scope"
                                                        : "gemma-scope-2";
  FPO_RETURN_IF_ERROR(FillArrays(arrays, description.plain_relu, source.weights, &sae));
  sae.digest = DigestOf(sae);
  return sae;
}

absl::Status WriteSaeFile(const std::string& folder, const SaeParameters& sae) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (sae.apply_b_dec_to_input || HookName(sae.layer, sae.site).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot write the SAE to ", folder, ": site ", sae.site,
        " unknown, or b_dec is subtracted from the input, which params.npz cannot say"));
  }
  Arrays arrays = {{"W_enc", sae.w_enc.to(at::kFloat)},
                   {"b_enc", sae.b_enc.to(at::kFloat)},
                   {"b_dec", sae.b_dec.to(at::kFloat)},
                   {"threshold", sae.threshold.to(at::kFloat)}};
  if (sae.w_dec.defined()) arrays["W_dec"] = sae.w_dec.to(at::kFloat);
  FPO_RETURN_IF_ERROR(WriteNpz(absl::StrCat(folder, "/params.npz"), arrays));
  nlohmann::ordered_json config = {{"architecture", "jump_relu"},
                                   {"type", "sae"},
                                   {"hf_hook_point_in", HookName(sae.layer, sae.site)},
                                   {"layer", sae.layer},
                                   {"site", sae.site},
                                   {"d_in", sae.w_enc.size(0)},
                                   {"width", sae.w_enc.size(1)}};
  if (sae.target_l0) config["target_l0"] = *sae.target_l0;
  if (sae.l0) config["l0"] = *sae.l0;
  return WriteFileDurably(absl::StrCat(folder, "/config.json"), config.dump(2) + "\n");
}

}  // namespace fpo::train
