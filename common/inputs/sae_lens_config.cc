#include "common/inputs/sae_lens_config.h"

#include <array>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/inputs/sae_hook.h"
#include "common/inputs/sae_json.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

using Json = nlohmann::json;
using sae_json::Number;
using sae_json::Refuse;
using sae_json::Word;

constexpr char kExpectedAverage[] = "expected_average_only_in";

// cfg.json of version 6 has its metadata in an object of their own.
class SaeLensReader {
 public:
  SaeLensReader(Json config, const std::string& file) : config_(std::move(config)), file_(file) {
    const auto nested = config_.find("metadata");
    metadata_ = nested != config_.end() && nested->is_object() ? *nested : Json::object();
  }

  absl::StatusOr<SaeDescription> Read() {
    FPO_RETURN_IF_ERROR(ReadArchitecture());
    FPO_RETURN_IF_ERROR(ReadNormalisation());
    FPO_ASSIGN_OR_RETURN(out_.apply_b_dec_to_input,
                         sae_json::Flag(config_, "apply_b_dec_to_input", true, file_));
    FPO_ASSIGN_OR_RETURN(out_.finetuned,
                         sae_json::Flag(config_, "finetuning_scaling_factor", false, file_));
    sae_json::SetSizes(sae_json::Whole(config_, "d_in"), sae_json::Whole(config_, "d_sae"), &out_);
    FPO_RETURN_IF_ERROR(ReadPlace());
    return std::move(out_);
  }

 private:
  // A key at the top level, else in the metadata, else null.
  Json Stated(std::initializer_list<const char*> keys) const {
    for (const Json* holder : {&config_, &metadata_}) {
      for (const char* key : keys) {
        const auto it = holder->find(key);
        if (it != holder->end() && !it->is_null()) return *it;
      }
    }
    return Json();
  }
  std::string StatedWord(std::initializer_list<const char*> keys) const {
    const Json value = Stated(keys);
    return value.is_string() ? value.get<std::string>() : "";
  }

  absl::Status ReadArchitecture();
  absl::Status ReadNormalisation();
  absl::Status ReadPlace();

  Json config_, metadata_;
  const std::string& file_;
  SaeDescription out_;
};

absl::Status SaeLensReader::ReadArchitecture() {
  std::string architecture = StatedWord({"architecture"});
  // Files older than the field are all plain ReLU or TopK SAEs.
  if (architecture.empty()) architecture = "standard";
  const std::string activation = StatedWord({"activation_fn", "activation_fn_str"});
  const Json kwargs = config_.value("activation_fn_kwargs", Json::object());
  const Json k = kwargs.is_object() ? kwargs.value("k", Json()) : Json();
  if (activation == "topk") {
    FPO_RETURN_IF_ERROR(sae_json::SetTopK(k, file_, &out_));
  } else if (!activation.empty() && activation != "relu" && activation != "jumprelu" &&
             activation != "batchtopk") {
    return Refuse(file_, absl::StrCat("its activation is ", activation,
                                      "; relu, jumprelu and topk are read"));
  }
  const bool batch = absl::StrContains(architecture, "batchtopk");
  FPO_ASSIGN_OR_RETURN(out_.rescale_by_decoder_norm,
                       sae_json::Flag(config_, "rescale_acts_by_decoder_norm", batch, file_));
  if (architecture == "topk") {
    return sae_json::SetTopK(config_.contains("k") ? config_["k"] : k, file_, &out_);
  }
  if (batch) {
    out_.batch_threshold = true;
    out_.target_l0 = Number(config_, "k");
    return absl::OkStatus();
  }
  out_.rescale_by_decoder_norm = false;  // only these two have it
  if (architecture == "jumprelu") return absl::OkStatus();
  if (architecture == "standard") {
    out_.plain_relu = true;
    return absl::OkStatus();
  }
  return Refuse(file_, absl::StrCat("its architecture is ", architecture,
                                    "; standard, jumprelu, topk and batchtopk SAEs are read"));
}

absl::Status SaeLensReader::ReadNormalisation() {
  const Json value = Stated({"normalize_activations"});
  if (value.is_null() || value == "none" || value == false) return absl::OkStatus();
  if (value == kExpectedAverage || value == true) {
    out_.normalization = kExpectedAverage;
    out_.norm_factor = Number(config_, "norm_scaling_factor");
    return absl::OkStatus();
  }
  return Refuse(file_,
                absl::StrCat("normalize_activations is ", value.dump(),
                             ", which scales each row by itself and cannot be folded into the "
                             "arrays; none and expected_average_only_in are read"));
}

absl::Status SaeLensReader::ReadPlace() {
  const Json head = Stated({"hook_head_index", "hook_point_head_index"});
  if (!head.is_null()) {
    return Refuse(file_, absl::StrCat("it reads head ", head.dump(),
                                      " of attention alone; attn_z is of all heads"));
  }
  const std::string hook = StatedWord({"hook_name", "hook_point"});
  const std::string hook_out = StatedWord({"hook_name_out", "hook_point_out"});
  if (!hook_out.empty() && hook_out != hook) {
    return Refuse(file_,
                  absl::StrCat("it reads ", hook, " and writes ", hook_out, ": a transcoder"));
  }
  const Json layer = Stated({"hook_layer", "hook_point_layer"});
  if (hook.empty()) {
    if (layer.is_number_integer()) out_.layer = layer.get<int64_t>();
    return absl::OkStatus();
  }
  const absl::Status status = ParseHook(hook, &out_);
  if (!status.ok()) return Refuse(file_, status.message());
  // The input of layer L is what layer L - 1 writes.
  const int64_t named = out_.layer.value_or(-1), next = named + 1;
  if (layer.is_number_integer() && layer != named && layer != next) {
    out_.notes.push_back(absl::StrCat("SAE ", file_, ": hook_layer is ", layer.dump(), ", but ",
                                      hook, " is of layer ", named, ", which is used, as SAELens ",
                                      "does"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SaeDescription> ParseSaeLensConfig(absl::string_view json, const std::string& file) {
  FPO_ASSIGN_OR_RETURN(Json config, sae_json::ParseObject(json, file));
  return SaeLensReader(std::move(config), file).Read();
}

absl::StatusOr<std::optional<double>> ParseActivationScaler(absl::string_view json,
                                                            const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const Json scaler, sae_json::ParseObject(json, file));
  const Json factor = scaler.value("scaling_factor", Json());
  if (factor.is_null()) return std::optional<double>();
  if (!factor.is_number() || !(factor.get<double>() > 0) || !std::isfinite(factor.get<double>())) {
    return Refuse(
        file, absl::StrCat("scaling_factor is ", factor.dump(), "; a positive number is needed"));
  }
  return std::optional<double>(factor.get<double>());
}

}  // namespace fpo
