#include "train/model/weight_names.h"

#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr char kHeadlessEmbedding[] = "embed_tokens.weight";
constexpr char kOwnHead[] = "lm_head.weight";

constexpr std::array<const char*, 9> kOtherModalities = {
    "vision_tower.", "vision_model.", "multi_modal_projector.", "audio_tower.", "embed_vision.",
    "embed_audio.",  "image_newline", "vision_embed_tokens.",   "mm_projector."};
// Beginnings of what torch adds around a whole model.
constexpr std::array<const char*, 3> kWrappers = {"_orig_mod.", "module.", "_fsdp_wrapped_module."};
constexpr std::array<const char*, 8> kAdapters = {"lora_A",           "lora_B",
                                                  "lora_embedding_",  "lora_magnitude_vector",
                                                  "base_layer.",      "base_model.model.",
                                                  "modules_to_save.", "ia3_l"};
constexpr std::array<const char*, 18> kQuantised = {
    ".qweight",       ".qzeros",           ".g_idx",         ".scales",       ".absmax",
    ".quant_map",     ".nested_absmax",    ".quant_state",   ".SCB",          ".weight_scale",
    ".input_scale",   ".weight_scale_inv", ".weight_packed", ".weight_shape", ".weight_zero_point",
    ".weight_format", ".qscale",           ".biases_packed"};

template <size_t kSize>
bool ContainsAny(absl::string_view name, const std::array<const char*, kSize>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return absl::StrContains(name, part); });
}

template <size_t kSize>
bool StartsWithAny(absl::string_view name, const std::array<const char*, kSize>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return absl::StartsWith(name, part); });
}

absl::Status Unfit(absl::string_view name, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("model weights: tensor \"", name, "\" ", problem));
}

// Computed from the configuration when a model is built.
bool IsBuffer(absl::string_view name) {
  return absl::StrContains(name, "rotary_emb") || absl::EndsWith(name, "inv_freq") ||
         absl::EndsWith(name, ".embed_scale") || absl::EndsWith(name, ".masked_bias") ||
         absl::EndsWith(name, ".attn.bias") || absl::EndsWith(name, "position_ids") ||
         absl::EndsWith(name, ".causal_mask");
}

std::string WithoutNesting(absl::string_view name) {
  if (absl::ConsumePrefix(&name, "model.language_model.")) return absl::StrCat("model.", name);
  absl::ConsumePrefix(&name, "language_model.");
  return std::string(name);
}

bool IsOfModality(absl::string_view name) {
  absl::ConsumePrefix(&name, "model.");
  return StartsWithAny(name, kOtherModalities);
}

// Of the text model: a tensor here changes what it computes.
bool IsOfTextModel(absl::string_view name) {
  return absl::StartsWith(name, "model.layers.") || absl::StartsWith(name, "model.embed_tokens") ||
         absl::StartsWith(name, "model.norm.") || absl::StartsWith(name, "lm_head.");
}

std::string Owner(const GemmaConfig& config) {
  return IsGemma(config.architecture) ? "Gemma's" : absl::StrCat(config.family().title, "'s");
}

absl::Status Unexpected(const std::string& name, absl::string_view canonical,
                        const GemmaConfig& config) {
  absl::string_view rest = canonical;
  int64_t layer = 0;
  if (absl::ConsumePrefix(&rest, "model.layers.") &&
      absl::SimpleAtoi(rest.substr(0, rest.find('.')), &layer) && layer >= config.layers) {
    return Unfit(name, absl::StrCat("is of layer ", layer,
                                    ", but num_hidden_layers of config.json "
                                    "is ",
                                    config.layers,
                                    ": it is not part of the model that config.json describes"));
  }
  if (absl::EndsWith(canonical, "self_attn.q_norm.weight") ||
      absl::EndsWith(canonical, "self_attn.k_norm.weight")) {
    return Unfit(name,
                 absl::StrCat("is of ", IsGemma(config.architecture) ? "Gemma 3" : "another family",
                              ", but config.json describes a ", config.family().title,
                              ": it is not part of the model that config.json describes"));
  }
  return Unfit(name, "is not part of the model that config.json describes, and would change it");
}

std::string LeftOut(const std::vector<std::string>& names, absl::string_view what) {
  const size_t shown = std::min<size_t>(names.size(), 3);
  const std::string more =
      names.size() > shown ? absl::StrCat(" and ", names.size() - shown, " more") : "";
  return absl::StrCat(
      names.size() == 1 ? "a tensor is" : absl::StrCat(names.size(), " tensors are"),
      " left out, as in transformers, ", what, ": ",
      absl::StrJoin(names.begin(), names.begin() + static_cast<int64_t>(shown), ", "), more);
}

class Selector {
 public:
  Selector(const GemmaConfig& config, const std::vector<std::string>& names) : config_(config) {
    for (const auto& [name, shape] : TensorShapes(config)) expected_.insert(name);
    expected_.insert(kOwnHead);
    // Gemma2Model.save_pretrained: the model without its head has no prefix.
    headless_ = std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return WithoutNesting(name) == kHeadlessEmbedding;
    });
  }

  absl::Status Add(const std::string& name) {
    std::string canonical = WithoutNesting(name);
    if (headless_ && expected_.contains("model." + canonical)) canonical = "model." + canonical;
    if (expected_.contains(canonical)) return Use(name, canonical);
    if (IsOfModality(canonical)) return Keep(&modalities_, name);
    if (ContainsAny(canonical, kAdapters)) {
      return Unfit(name,
                   "belongs to an adapter (LoRA) that was not merged into the weights; merge "
                   "it with PEFT's merge_and_unload and save the result; that of a run's "
                   "checkpoint with fpo-train export CHECKPOINT --merge --out DIR");
    }
    if (ContainsAny(canonical, kQuantised)) {
      return Unfit(name,
                   "belongs to quantised weights; use the model in full precision that they "
                   "were made from");
    }
    if (IsBuffer(canonical)) return Keep(&buffers_, name);
    const std::string full = headless_ ? "model." + canonical : canonical;
    if (IsOfTextModel(full)) return Unexpected(name, full, config_);
    return Keep(&others_, name);
  }

  absl::StatusOr<TensorSelection> Finish() {
    if (out_.used.empty() && !others_.empty()) {
      const bool wrapped = StartsWithAny(others_.front(), kWrappers);
      return Unfit(others_.front(),
                   absl::StrCat("and all others are none of ", Owner(config_),
                                wrapped ? "; save the model without its wrapper (unwrap_model)"
                                        : ", whose names begin with model.layers and "
                                          "model.embed_tokens"));
    }
    if (!buffers_.empty()) out_.notes.push_back(LeftOut(buffers_, "because they are computed"));
    if (!modalities_.empty() && !config_.nested) {
      out_.notes.push_back(
          LeftOut(modalities_, "because config.json describes a model of text only"));
    }
    if (!others_.empty()) {
      out_.notes.push_back(LeftOut(
          others_, absl::StrCat("because ", Owner(config_), " language model has none such")));
    }
    return std::move(out_);
  }

 private:
  absl::Status Use(const std::string& name, const std::string& canonical) {
    const auto [other, added] = seen_.emplace(canonical, name);
    if (!added) {
      return Unfit(name,
                   absl::StrCat("is a second \"", canonical, "\", beside \"", other->second, "\""));
    }
    out_.used.emplace_back(name, canonical);
    return absl::OkStatus();
  }

  static absl::Status Keep(std::vector<std::string>* list, const std::string& name) {
    list->push_back(name);
    return absl::OkStatus();
  }

  const GemmaConfig& config_;
  std::set<std::string> expected_;
  std::map<std::string, std::string> seen_;
  bool headless_ = false;
  std::vector<std::string> buffers_, modalities_, others_;
  TensorSelection out_;
};

}  // namespace

absl::StatusOr<TensorSelection> SelectTensors(const GemmaConfig& config,
                                              const std::vector<std::string>& names) {
  Selector selector(config, names);
  for (const std::string& name : names) FPO_RETURN_IF_ERROR(selector.Add(name));
  return selector.Finish();
}

std::string QuantisedType(absl::string_view safetensors_dtype) {
  for (const char* trained : {"F32", "BF16", "F16", "F64"}) {
    if (safetensors_dtype == trained) return "";
  }
  return absl::StrCat(safetensors_dtype, ", quantised");
}

}  // namespace fpo::train
