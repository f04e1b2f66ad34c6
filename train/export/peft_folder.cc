#include "train/export/peft_folder.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/hash.h"
#include "common/outputs/folder_manifest.h"
#include "common/outputs/publish.h"
#include "common/status_macros.h"
#include "train/formats/peft_config.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kConfigName[] = "adapter_config.json";
constexpr char kModels[] = "base_model.model.model.";  // before "layers.N"
constexpr char kNestedModels[] = "base_model.model.model.language_model.";
constexpr char kOldNestedModels[] = "base_model.model.language_model.model.";

absl::Status Refused(const std::string& folder, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("adapter ", folder, ": ", why));
}

// Of the projections that the tensors' names have.
absl::StatusOr<LoraConfig> LoraOf(const std::string& folder, const PeftConfig& config,
                                  const std::map<std::string, std::string>& files) {
  std::set<std::string> targets;
  for (const auto& [name, file] : files) {
    const std::string weight = LoraWeightOf(name);  // ...q_proj.weight
    const size_t end = weight.rfind('.'), begin = weight.rfind('.', end - 1);
    if (!IsLora(name) || end == 0 || begin == std::string::npos) {
      return Refused(folder, absl::StrCat("tensor \"", file, "\" is not part of a LoRA adapter"));
    }
    targets.insert(weight.substr(begin + 1, end - begin - 1));
  }
  auto lora = MakeLoraConfig(config.rank, config.alpha, {targets.begin(), targets.end()});
  if (!lora.ok()) return Refused(folder, std::string(lora.status().message()));
  return lora;
}

absl::StatusOr<NamedTensors> ReadTensors(const SafetensorsFile& file, const GemmaConfig& config,
                                         const LoraConfig& lora,
                                         std::map<std::string, std::string> files) {
  const auto shapes = TensorShapes(config);
  NamedTensors tensors;
  for (const std::string& name : LoraNames(config, lora)) {
    const auto it = files.find(name);
    if (it == files.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("adapter ", file.path(), ": tensor \"", name,
                       "\" is missing; a projection must be adapted in all of the model's ",
                       config.layers, " layers"));
    }
    const std::vector<int64_t>& weight = shapes.at(LoraWeightOf(name));
    const std::vector<int64_t> shape =
        IsLoraB(name) ? std::vector{weight[0], lora.rank} : std::vector{lora.rank, weight[1]};
    FPO_ASSIGN_OR_RETURN(at::Tensor tensor, ReadAdapterTensor(file, it->second, shape));
    tensors.emplace_back(name, std::move(tensor));
    files.erase(it);
  }
  if (files.empty()) return tensors;
  return absl::InvalidArgumentError(absl::StrCat(
      "adapter ", file.path(), ": tensor \"", files.begin()->second,
      "\" belongs to nothing in a model of ", config.layers, " layers: is it of another model?"));
}

Json ConfigOf(const PeftExport& request, const LoraConfig& lora) {
  Json config;
  config["peft_type"] = "LORA";
  config["task_type"] = "CAUSAL_LM";
  config["base_model_name_or_path"] = request.base;
  config["r"] = lora.rank;
  config["lora_alpha"] = lora.alpha;
  config["lora_dropout"] = 0.0;
  config["bias"] = "none";
  config["fan_in_fan_out"] = false;
  config["init_lora_weights"] = true;
  config["inference_mode"] = true;
  config["use_dora"] = false;
  config["use_rslora"] = false;
  config["modules_to_save"] = nullptr;
  for (int64_t i = 0; i < kLoraTargets; ++i) {
    const auto target = static_cast<LoraTarget>(i);
    if (lora.Has(target)) config["target_modules"].push_back(LoraTargetName(target));
  }
  return config;
}

absl::Status WriteFiles(const PeftExport& request, const GemmaConfig& config,
                        const PeftAdapter& adapter, const std::string& folder) {
  TensorMap stored;
  for (const auto& [name, tensor] : adapter.tensors) {
    const std::string rest(absl::StripPrefix(name, kModels));
    stored[absl::StrCat(config.nested ? kNestedModels : kModels, rest)] = tensor.detach();
  }
  FPO_RETURN_IF_ERROR(
      WriteSafetensors(absl::StrCat(folder, "/", kPeftWeights), stored, {{"format", "pt"}}));
  FPO_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder, "/", kConfigName),
                                          ConfigOf(request, adapter.lora).dump(2) + "\n"));
  if (request.card.empty()) return absl::OkStatus();
  return WriteFileAtomically(absl::StrCat(folder, "/README.md"), request.card);
}

}  // namespace

std::string PlainLoraName(const std::string& name) {
  return absl::StrReplaceAll(name, {{kNestedModels, kModels}, {kOldNestedModels, kModels}});
}

absl::StatusOr<at::Tensor> ReadAdapterTensor(const SafetensorsFile& file, const std::string& name,
                                             const std::vector<int64_t>& shape) {
  FPO_ASSIGN_OR_RETURN(const at::Tensor stored, file.Tensor(name));
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("adapter ", file.path(), ": tensor \"", name, "\" ", what));
  };
  if (!stored.is_floating_point() || stored.sizes().vec() != shape) {
    return wrong(absl::StrCat("is not ", absl::StrJoin(shape, " by "),
                              " numbers, as rank and model ask for"));
  }
  at::Tensor tensor = stored.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  if (!at::isfinite(tensor).all().item<bool>()) return wrong("has values that are not finite");
  return tensor;
}

absl::StatusOr<PeftAdapter> ReadPeftFolder(const std::string& folder, const GemmaConfig& config) {
  FPO_ASSIGN_OR_RETURN(const PeftConfig json, ReadPeftConfig(folder));
  if (const std::string option = OnlyMergeable(json); !option.empty()) {
    return Refused(folder, absl::StrCat(option, " is set: training has one rank and alpha / rank ",
                                        "for all; fpo-train export ", folder,
                                        " --merge --out DIR makes a model of it"));
  }
  const std::string weights = absl::StrCat(folder, "/", kPeftWeights);
  FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(weights));
  std::map<std::string, std::string> files;  // by the names of LoraNames
  for (const auto& [name, entry] : file->entries()) files[PlainLoraName(name)] = name;
  PeftAdapter adapter;
  FPO_ASSIGN_OR_RETURN(adapter.lora, LoraOf(folder, json, files));
  FPO_ASSIGN_OR_RETURN(adapter.tensors, ReadTensors(*file, config, adapter.lora, std::move(files)));
  FPO_RETURN_IF_ERROR(file->CheckUnchanged());
  adapter.base = json.base;
  FPO_ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(weights));
  adapter.digest = ToHex(
      Sha256Of(absl::StrCat("fpo-adapter-1\n", DescribeLora(adapter.lora), "\n", ToHex(digest))));
  return adapter;
}

absl::Status WritePeftFolder(const PeftExport& request, const GemmaConfig& config,
                             const PeftAdapter& adapter) {
  const std::string building = BuildingPath(request.target);
  std::error_code error;
  fs::remove_all(building, error);
  fs::create_directories(building, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot create ", building, ": ", error.message()));
  }
  absl::Status status = WriteFiles(request, config, adapter, building);
  if (status.ok()) status = WriteFolderManifest(building);
  if (status.ok()) status = PublishFolder(building, request.target);
  if (!status.ok()) fs::remove_all(building, error);
  return status;
}

}  // namespace fpo::train
