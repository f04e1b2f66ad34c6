#include "train/formats/sae_files.h"

#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/inputs/sae_config.h"
#include "common/inputs/sae_fit.h"
#include "common/status_macros.h"
#include "train/formats/npz/npz.h"
#include "train/formats/sae_arrays.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, at::Tensor>;  // by lower-case name

absl::Status RefuseSae(const std::string& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("SAE ", file, " cannot be used: ", why));
}

absl::StatusOr<at::Tensor> Take(const Arrays& arrays, const std::string& name,
                                const std::vector<int64_t>& shape, const std::string& file) {
  const at::Tensor& stored = arrays.at(name);
  if (stored.sizes().vec() != shape) {
    return RefuseSae(file,
                     absl::StrCat("array ", name, " has shape ", ShapeText(stored.sizes().vec()),
                                  ", expected ", ShapeText(shape)));
  }
  at::Tensor tensor = stored.to(at::kFloat).contiguous();
  if (!at::isfinite(tensor).all().item<bool>()) {
    return RefuseSae(file, absl::StrCat("array ", name, " holds values that are not finite"));
  }
  return tensor;
}

absl::Status FillArrays(const Arrays& arrays, const SaeDescription& description,
                        const std::string& file, SaeParameters* sae) {
  for (const char* name : {"w_enc", "b_enc"}) {
    if (arrays.count(name) == 0)
      return RefuseSae(file, absl::StrCat("array ", name, " is missing"));
  }
  const at::Tensor& w_enc = arrays.at("w_enc");
  if (w_enc.dim() != 2 || w_enc.numel() == 0) {
    return RefuseSae(file, absl::StrCat("w_enc has shape ", ShapeText(w_enc.sizes().vec()),
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
    return RefuseSae(file, "apply_b_dec_to_input needs the array b_dec");
  } else {
    sae->b_dec = at::zeros({width}, at::kFloat);
  }
  if (arrays.count("threshold") != 0) {
    FPO_ASSIGN_OR_RETURN(sae->threshold, Take(arrays, "threshold", {features}, file));
  } else if (description.plain_relu) {
    sae->threshold = at::zeros({features}, at::kFloat);
  } else if (description.batch_threshold) {
    return RefuseSae(file,
                     "it is a BatchTopK SAE without its threshold, and how many features of a row "
                     "are active would depend on the other rows; save it for inference (SAELens: "
                     "save_inference_model)");
  } else {
    return RefuseSae(file, "a JumpReLU SAE needs the array threshold");
  }
  if (description.rescale_by_decoder_norm && !sae->w_dec.defined()) {
    return RefuseSae(file, "rescale_acts_by_decoder_norm needs the array W_dec");
  }
  return absl::OkStatus();
}

Digest DigestOf(const SaeParameters& sae) {
  Sha256 hash;
  hash.Update(absl::StrCat("sae:", sae.layer, ":", sae.site, ":", sae.apply_b_dec_to_input, "\n"));
  if (sae.top_k > 0) hash.Update(absl::StrCat("top_k:", sae.top_k, "\n"));
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

std::string FormatName(const SaeSource& source) {
  switch (source.format) {
    case SaeFormat::kSaeLens:
      return "saelens";
    case SaeFormat::kSparsify:
      return "sparsify";
    case SaeFormat::kDictionaryLearning:
      return "dictionary_learning";
    case SaeFormat::kLlamaScope:
      return "llama-scope";
    case SaeFormat::kQwenScope:
      return "qwen-scope";
    case SaeFormat::kGemmaScope:
      break;
  }
  return absl::EndsWith(source.weights, ".npz") ? "gemma-scope" : "gemma-scope-2";
}

}  // namespace

absl::StatusOr<SaeParameters> LoadSaeFile(const std::string& path, std::optional<int64_t> layer,
                                          const std::string& site,
                                          const std::string& normalization) {
  FPO_ASSIGN_OR_RETURN(const SaeSource source, FindSaeSource(path));
  FPO_ASSIGN_OR_RETURN(SaeDescription description, DescribeSae(source));
  FPO_RETURN_IF_ERROR(ResolvePlace(path, layer, site, &description));
  FPO_RETURN_IF_ERROR(ResolveNormalisation(path, normalization, &description));
  FPO_ASSIGN_OR_RETURN(SaeArrays arrays, ReadSaeArrays(source, description));
  SaeParameters sae;
  sae.layer = *description.layer;
  sae.site = description.site;
  sae.target_l0 = description.target_l0;
  sae.l0 = description.l0;
  sae.apply_b_dec_to_input = description.apply_b_dec_to_input;
  sae.top_k = description.top_k;
  sae.source = FormatName(source);
  sae.notes = std::move(description.notes);
  sae.notes.insert(sae.notes.end(), arrays.notes.begin(), arrays.notes.end());
  // Shapes first: folding assumes that they fit.
  FPO_RETURN_IF_ERROR(FillArrays(arrays.by_name, description, source.weights, &sae));
  FoldSaeArrays(description, &arrays);
  FPO_RETURN_IF_ERROR(FillArrays(arrays.by_name, description, source.weights, &sae));
  sae.digest = DigestOf(sae);
  return sae;
}

absl::Status WriteSaeFile(const std::string& folder, const SaeParameters& sae) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (sae.apply_b_dec_to_input || sae.top_k > 0 || HookName(sae.layer, sae.site).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot write the SAE to ", folder, ": site ", sae.site,
        " unknown, or b_dec is subtracted from the input, or it is a TopK, which params.npz cannot "
        "say"));
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
  return WriteFileAtomically(absl::StrCat(folder, "/config.json"), config.dump(2) + "\n");
}

}  // namespace fpo::train
