#include "common/inputs/other_sae_configs.h"

#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/inputs/sae_hook.h"
#include "common/inputs/sae_json.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

using Json = nlohmann::json;
using sae_json::Refuse;
using sae_json::Whole;
using sae_json::Word;

struct DictClass {
  const char* name;
  bool subtracts_b_dec;
  enum class Kind { kRelu, kJump, kTopK, kBatch } kind;
};
// How each class encodes, from dictionary_learning's own sources.
constexpr std::array<DictClass, 7> kDictClasses = {{
    {"AutoEncoder", true, DictClass::Kind::kRelu},
    {"AutoEncoderNew", false, DictClass::Kind::kRelu},
    {"JumpReluAutoEncoder", false, DictClass::Kind::kJump},
    {"AutoEncoderTopK", true, DictClass::Kind::kTopK},
    {"BatchTopKSAE", true, DictClass::Kind::kBatch},
    {"MatryoshkaBatchTopKSAE", true, DictClass::Kind::kBatch},
    {"BatchTopK", true, DictClass::Kind::kBatch},
}};

absl::Status SetClass(const Json& trainer, const std::string& file, SaeDescription* out) {
  const std::string name = Word(trainer, "dict_class");
  for (const DictClass& row : kDictClasses) {
    if (name != row.name) continue;
    out->apply_b_dec_to_input = row.subtracts_b_dec;
    out->plain_relu = row.kind == DictClass::Kind::kRelu;
    out->batch_threshold = row.kind == DictClass::Kind::kBatch;
    if (out->batch_threshold) out->target_l0 = sae_json::Number(trainer, "k");
    if (row.kind != DictClass::Kind::kTopK) return absl::OkStatus();
    return sae_json::SetTopK(trainer.contains("k") ? trainer["k"] : Json(), file, out);
  }
  return Refuse(file, absl::StrCat("its dict_class is ", name.empty() ? "not stated" : name,
                                   "; AutoEncoder, AutoEncoderNew, AutoEncoderTopK, BatchTopKSAE, "
                                   "MatryoshkaBatchTopKSAE and JumpReluAutoEncoder are read"));
}

// "resid_post_layer_8"; other submodules are outputs before Gemma's norms.
absl::Status SetSubmodule(const Json& trainer, const std::string& file, SaeDescription* out) {
  out->layer = Whole(trainer, "layer");
  const std::string submodule = Word(trainer, "submodule_name");
  if (submodule.empty()) return absl::OkStatus();
  if (absl::StartsWith(submodule, "resid_post")) {
    out->site = "resid_post";
    return absl::OkStatus();
  }
  if (absl::StrContains(submodule, "layers.")) {
    const absl::Status status = ParseHook(submodule, out);
    return status.ok() ? status : Refuse(file, status.message());
  }
  return Refuse(file, absl::StrCat("its submodule_name is ", submodule,
                                   ", which is none of resid_post, mlp_out and attn_z as Gemma "
                                   "has them; resid_post_layer_L is read"));
}

}  // namespace

absl::StatusOr<SaeDescription> ParseSparsifyConfig(absl::string_view json,
                                                   const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const Json config, sae_json::ParseObject(json, file));
  for (const char* key : {"transcode", "skip_connection"}) {
    FPO_ASSIGN_OR_RETURN(const bool set, sae_json::Flag(config, key, false, file));
    if (set) return Refuse(file, absl::StrCat(key, " is true: a transcoder"));
  }
  FPO_ASSIGN_OR_RETURN(const bool is_signed, sae_json::Flag(config, "signed", false, file));
  if (is_signed) return Refuse(file, "its features are signed, not ReLU");
  const std::string activation = Word(config, "activation");
  if (!activation.empty() && activation != "topk") {
    return Refuse(file, absl::StrCat("its activation is ", activation, "; only topk is read"));
  }
  SaeDescription out;
  out.apply_b_dec_to_input = true;
  // The default of its own SparseCoderConfig.
  FPO_RETURN_IF_ERROR(sae_json::SetTopK(config.contains("k") ? config["k"] : Json(32), file, &out));
  sae_json::SetSizes(Whole(config, "d_in"), Whole(config, "num_latents"), &out);
  const std::string folder = std::filesystem::path(file).parent_path().filename().string();
  if (absl::StrContains(folder, "layers.")) {
    const absl::Status status = ParseHook(folder, &out);
    if (!status.ok()) return Refuse(file, status.message());
  }
  return out;
}

absl::StatusOr<SaeDescription> ParseDictionaryLearningConfig(absl::string_view json,
                                                             const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const Json config, sae_json::ParseObject(json, file));
  const Json trainer = config.value("trainer", Json());
  if (!trainer.is_object()) return Refuse(file, "it has no object \"trainer\"");
  SaeDescription out;
  FPO_RETURN_IF_ERROR(SetClass(trainer, file, &out));
  FPO_RETURN_IF_ERROR(SetSubmodule(trainer, file, &out));
  sae_json::SetSizes(Whole(trainer, "activation_dim"), Whole(trainer, "dict_size"), &out);
  return out;
}

}  // namespace fpo
