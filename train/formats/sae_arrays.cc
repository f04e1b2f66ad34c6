#include "train/formats/sae_arrays.h"

#include <array>
#include <utility>

#include <ATen/ATen.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/formats/npz/npz.h"
#include "train/formats/safetensors.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

using Arrays = std::map<std::string, at::Tensor>;

absl::Status RefuseArrays(const std::string& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("SAE ", file, " cannot be used: ", why));
}

struct ArrayName {
  const char* stored;  // in lower case
  const char* canonical;
  bool transposed = false;  // a torch Linear holds [out, in]
};
constexpr std::array<ArrayName, 15> kNames = {{{"w_enc", "w_enc"},
                                               {"w_dec", "w_dec"},
                                               {"b_enc", "b_enc"},
                                               {"b_dec", "b_dec"},
                                               {"threshold", "threshold"},
                                               {"encoder.weight", "w_enc", true},
                                               {"encoder.bias", "b_enc"},
                                               {"decoder.weight", "w_dec", true},
                                               {"decoder.bias", "b_dec"},
                                               {"decoder_bias", "b_dec"},
                                               {"bias", "b_dec"},
                                               {"topk_threshold", "threshold"},
                                               {"log_threshold", "log_threshold"},
                                               {"finetuning_scaling_factor", "scale"},
                                               {"scaling_factor", "scale"}}};
constexpr std::array<const char*, 6> kGated = {"r_mag",     "b_mag",    "b_gate",
                                               "gate_bias", "mag_bias", "w_gate"};

absl::StatusOr<Arrays> ReadFileArrays(const std::string& path) {
  Arrays arrays;
  if (absl::EndsWith(path, ".npz")) {
    FPO_ASSIGN_OR_RETURN(arrays, ReadNpz(path));
    return arrays;
  }
  FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
  for (const auto& [name, entry] : file->entries()) {
    FPO_ASSIGN_OR_RETURN(arrays[name], file->Tensor(name));
  }
  return arrays;
}

// What of the raw arrays makes this another kind of model.
absl::Status CheckKind(const std::string& name, const std::string& file) {
  if (absl::StrContains(name, "skip") || absl::StrContains(name, "affine")) {
    return RefuseArrays(file,
                        absl::StrCat("array ", name, " makes it an affine (skip) transcoder"));
  }
  for (const char* gated : kGated) {
    if (name == gated) {
      return RefuseArrays(file, absl::StrCat("array ", name, " makes it a gated SAE"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckK(const at::Tensor& k, const SaeDescription& description,
                    const std::string& file) {
  if (description.top_k == 0 || k.numel() != 1) return absl::OkStatus();
  const auto stored = k.item<int64_t>();
  if (stored == description.top_k) return absl::OkStatus();
  return RefuseArrays(
      file, absl::StrCat("its config says k ", description.top_k, ", its array k says ", stored));
}

class ArrayReader {
 public:
  ArrayReader(const SaeSource& source, const SaeDescription& description)
      : file_(source.weights), description_(description) {}

  absl::StatusOr<SaeArrays> Read() {
    FPO_ASSIGN_OR_RETURN(const Arrays raw, ReadFileArrays(file_));
    for (const auto& [name, array] : raw) {
      FPO_RETURN_IF_ERROR(Add(name, array));
    }
    FPO_RETURN_IF_ERROR(SettleThreshold());
    FPO_RETURN_IF_ERROR(SettleScale());
    FPO_RETURN_IF_ERROR(SettleOrientation());
    FPO_RETURN_IF_ERROR(CheckSizes());
    return std::move(out_);
  }

 private:
  bool Has(const char* name) const { return out_.by_name.count(name) != 0; }
  absl::Status Add(const std::string& stored, const at::Tensor& array);
  absl::Status SettleThreshold();
  absl::Status SettleScale();
  absl::Status SettleOrientation();
  absl::Status CheckSizes() const;

  const std::string& file_;
  const SaeDescription& description_;
  SaeArrays out_;
};

absl::Status ArrayReader::Add(const std::string& stored, const at::Tensor& array) {
  const std::string name = absl::AsciiStrToLower(stored);
  FPO_RETURN_IF_ERROR(CheckKind(name, file_));
  if (name == "k") return CheckK(array, description_, file_);
  for (const ArrayName& row : kNames) {
    if (name != row.stored) continue;
    if (!array.is_floating_point()) {
      return RefuseArrays(file_,
                          absl::StrCat("array ", stored, " is ", at::toString(array.scalar_type()),
                                       ", not floating point"));
    }
    if (row.transposed && array.dim() != 2) {
      return RefuseArrays(file_, absl::StrCat("array ", stored, " has shape ",
                                              ShapeText(array.sizes().vec()), ", not two sizes"));
    }
    const bool added =
        out_.by_name.emplace(row.canonical, row.transposed ? array.t() : array).second;
    if (added) return absl::OkStatus();
    return RefuseArrays(file_, absl::StrCat("array ", stored, " is a second ", row.canonical));
  }
  out_.notes.push_back(absl::StrCat("SAE ", file_, ": array ", stored, " is not used"));
  return absl::OkStatus();
}

absl::Status ArrayReader::SettleThreshold() {
  if (Has("log_threshold")) {  // of SAELens' checkpoints before version 6
    if (!Has("threshold")) out_.by_name["threshold"] = out_.by_name["log_threshold"].exp();
    out_.by_name.erase("log_threshold");
  }
  if (description_.threshold && !Has("threshold") && Has("b_enc")) {
    out_.by_name["threshold"] =
        at::full(out_.by_name["b_enc"].sizes(), *description_.threshold, at::kFloat);
  }
  // A TopK of dictionary_learning keeps one and does not use it to encode.
  if (description_.plain_relu && Has("threshold")) {
    if (description_.top_k == 0 && out_.by_name["threshold"].ne(0).any().item<bool>()) {
      out_.notes.push_back(absl::StrCat("SAE ", file_, ": array threshold is not used: its config ",
                                        "says that it is a plain ReLU SAE"));
    }
    out_.by_name.erase("threshold");
  }
  if (!Has("threshold") || !Has("b_enc")) return absl::OkStatus();
  at::Tensor& threshold = out_.by_name["threshold"];
  if (threshold.numel() == 1)
    threshold = threshold.reshape({1}).expand(out_.by_name["b_enc"].sizes());
  if (description_.batch_threshold && threshold.lt(0).any().item<bool>()) {
    return RefuseArrays(file_, "its BatchTopK threshold is negative: it was never measured");
  }
  return absl::OkStatus();
}

absl::Status ArrayReader::SettleScale() {
  if (!Has("scale")) {
    if (description_.finetuned) {
      out_.notes.push_back(absl::StrCat("SAE ", file_, ": its config says ",
                                        "finetuning_scaling_factor, but that array is missing; "
                                        "the codes are not scaled"));
    }
    return absl::OkStatus();
  }
  const bool ones = out_.by_name["scale"].to(at::kFloat).eq(1).all().item<bool>();
  if (!ones && !description_.finetuned) {
    return RefuseArrays(file_, "its scaling_factor is not all ones, and no config says what it is");
  }
  if (ones) out_.by_name.erase("scale");
  return absl::OkStatus();
}

// b_enc has one number for each feature, whatever the other names say.
absl::Status ArrayReader::SettleOrientation() {
  if (!Has("w_enc") || !Has("b_enc")) return absl::OkStatus();
  at::Tensor& w_enc = out_.by_name["w_enc"];
  const int64_t features = out_.by_name["b_enc"].numel();
  if (w_enc.dim() != 2 || w_enc.size(1) == features || w_enc.size(0) != features) {
    return absl::OkStatus();
  }
  if (Has("w_dec")) {
    at::Tensor& w_dec = out_.by_name["w_dec"];
    if (w_dec.dim() != 2 || w_dec.size(1) != features) return absl::OkStatus();
    w_dec = w_dec.t();
  }
  out_.notes.push_back(absl::StrCat("SAE ", file_, ": W_enc is stored as ",
                                    ShapeText(w_enc.sizes().vec()), ", [features, width], and is ",
                                    "transposed"));
  w_enc = w_enc.t();
  return absl::OkStatus();
}

absl::Status ArrayReader::CheckSizes() const {
  const auto found = out_.by_name.find("w_enc");
  if (found == out_.by_name.end() || found->second.dim() != 2) return absl::OkStatus();
  const int64_t width = found->second.size(0), features = found->second.size(1);
  const std::pair<const char*, std::pair<std::optional<int64_t>, int64_t>> sizes[] = {
      {"width", {description_.d_in, width}},
      {"number of features", {description_.d_sae, features}}};
  for (const auto& [what, both] : sizes) {
    if (!both.first || *both.first == both.second) continue;
    return RefuseArrays(file_, absl::StrCat("its config says ", what, " ", *both.first,
                                            ", its arrays have ", both.second));
  }
  if (description_.top_k > features) {
    return RefuseArrays(file_, absl::StrCat("its k is ", description_.top_k, ", but it has only ",
                                            features, " features"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SaeArrays> ReadSaeArrays(const SaeSource& source,
                                        const SaeDescription& description) {
  return ArrayReader(source, description).Read();
}

void FoldSaeArrays(const SaeDescription& description, SaeArrays* arrays) {
  Arrays& by_name = arrays->by_name;
  const auto change = [&](const char* name, const auto& formula) {
    const auto it = by_name.find(name);
    if (it == by_name.end()) return;
    const auto type = it->second.scalar_type();
    it->second = formula(it->second.to(at::kDouble)).to(type == at::kDouble ? type : at::kFloat);
  };
  if (description.norm_factor) {
    const double factor = *description.norm_factor;
    change("w_enc", [&](const at::Tensor& w) { return w * factor; });
    change("w_dec", [&](const at::Tensor& w) { return w / factor; });
    change("b_dec", [&](const at::Tensor& b) { return b / factor; });
    // Below, codes are multiplied by the norms of the decoder that was just divided.
    if (description.rescale_by_decoder_norm) {
      change("threshold", [&](const at::Tensor& t) { return t / factor; });
    }
  }
  if (description.rescale_by_decoder_norm && by_name.count("w_dec") != 0) {
    const at::Tensor norms = by_name["w_dec"].to(at::kDouble).norm(2, {1}).clamp_min(1e-8);
    change("w_enc", [&](const at::Tensor& w) { return w * norms.unsqueeze(0); });
    change("b_enc", [&](const at::Tensor& b) { return b * norms; });
    change("w_dec", [&](const at::Tensor& w) { return w / norms.unsqueeze(1); });
  }
  if (by_name.count("scale") != 0) {
    const at::Tensor scale = by_name["scale"].to(at::kDouble);
    change("w_dec", [&](const at::Tensor& w) { return w * scale.unsqueeze(1); });
    by_name.erase("scale");
  }
}

}  // namespace fpo::train
