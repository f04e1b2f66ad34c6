#include "train/checkpoint/hf_export.h"

#include <array>
#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/outputs/folder_manifest.h"
#include "common/outputs/publish.h"
#include "common/status_macros.h"
#include "train/formats/nf4_names.h"
#include "train/formats/safetensors_directory.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

// transformers prefers tokenizer.json and otherwise builds it from tokenizer.model.
constexpr std::array<const char*, 12> kCopied = {
    "tokenizer.model",    "tokenizer.json",           "tokenizer_config.json",
    "added_tokens.json",  "special_tokens_map.json",  "chat_template.jinja",
    "chat_template.json", "generation_config.json",   "vocab.json",
    "merges.txt",         "preprocessor_config.json", "processor_config.json"};

void SetDtype(OrderedJson* config, const char* dtype) {
  config->erase("transformers_weights");  // names a file of the source
  config->erase("quantization_config");   // what is written is dense
  (*config)["dtype"] = dtype;
  if (config->contains("torch_dtype")) (*config)["torch_dtype"] = dtype;
}

absl::StatusOr<OrderedJson> ReadConfigJson(const std::string& source) {
  const std::string path = absl::StrCat(source, "/config.json");
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, 1 << 24));
  OrderedJson config = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return absl::DataLossError(absl::StrCat(path, " is not a JSON object"));
  return config;
}

absl::Status CheckAgainstSource(const std::string& source, const OrderedJson& config,
                                const LazyTensors& weights) {
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory original, SafetensorsDirectory::Open(source));
  const auto tied_key = config.find("tie_word_embeddings");
  const bool tied = tied_key == config.end() || *tied_key != false;
  const Nf4Names names = SplitNf4Names(original.Names());
  for (const std::string& name : names.tensors) {
    const auto it = weights.find(name);
    if (it == weights.end()) {
      if (tied && name == "lm_head.weight") continue;  // a copy of the embedding
      return absl::InvalidArgumentError(
          absl::StrCat("the trained weights lack tensor \"", name, "\" of ", source));
    }
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, original.Entry(name));
    if (!names.packed.contains(name) && entry.shape != it->second.shape) {
      return absl::InvalidArgumentError(absl::StrCat("trained tensor \"", name, "\" has shape ",
                                                     ShapeText(it->second.shape), ", in ", source,
                                                     " it is ", ShapeText(entry.shape)));
    }
  }
  for (const auto& [name, tensor] : weights) {
    if (!original.Contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("trained tensor \"", name, "\" is not one of ", source));
    }
  }
  return absl::OkStatus();
}

// additional_chat_templates/NAME.jinja; a folder with thousands of files is not one of templates.
absl::Status CopyNamedTemplates(const std::string& source, const std::string& folder) {
  constexpr int kTemplatesMax = 100;
  const std::string from = absl::StrCat(source, "/", kNamedTemplates);
  const std::string to = absl::StrCat(folder, "/", kNamedTemplates);
  std::error_code error;
  int left = kTemplatesMax;
  for (fs::directory_iterator it(from, error), end; !error && it != end && left > 0;
       it.increment(error)) {
    if (it->path().extension() != ".jinja") continue;
    fs::create_directories(to, error);
    FPO_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(it->path().string()));
    FPO_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(to, "/", it->path().filename().string()), bytes));
    --left;
  }
  return absl::OkStatus();
}

absl::Status CopyCompanions(const std::string& source, const std::string& folder) {
  for (const char* name : kCopied) {
    const std::string from = absl::StrCat(source, "/", name);
    std::error_code error;
    if (!fs::is_regular_file(from, error)) continue;
    FPO_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(from));
    FPO_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder, "/", name), bytes));
  }
  return CopyNamedTemplates(source, folder);
}

absl::Status WriteFolder(const HfExport& request, const LazyTensors& weights,
                         const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(OrderedJson config, ReadConfigJson(request.source));
  FPO_RETURN_IF_ERROR(CheckAgainstSource(request.source, config, weights));
  const char* dtype = request.dtype == c10::ScalarType::Float ? "float32" : "bfloat16";
  SetDtype(&config, dtype);
  if (config.contains("text_config") && config["text_config"].is_object()) {
    SetDtype(&config["text_config"], dtype);
  }
  LazyTensors stored;
  for (const auto& [name, tensor] : weights) {
    // Buffers of whole numbers stay what they are.
    const at::ScalarType type = at::isFloatingType(tensor.type) ? request.dtype : tensor.type;
    const auto make = [&tensor = tensor, type]() -> absl::StatusOr<at::Tensor> {
      FPO_ASSIGN_OR_RETURN(const at::Tensor made, tensor.make());
      return made.detach().to(type);
    };
    stored.emplace(name, LazyTensor{type, tensor.shape, make});
  }
  FPO_RETURN_IF_ERROR(WriteShardedSafetensors(folder, stored));
  FPO_RETURN_IF_ERROR(CopyCompanions(request.source, folder));
  FPO_RETURN_IF_ERROR(WriteServingFiles(request.serving, folder, &config));
  return WriteFileAtomically(absl::StrCat(folder, "/config.json"), config.dump(2) + "\n");
}

}  // namespace

absl::Status ExportHuggingFace(const HfExport& request, const LazyTensors& weights) {
  if (request.dtype != c10::ScalarType::BFloat16 && request.dtype != c10::ScalarType::Float) {
    return absl::InvalidArgumentError(
        absl::StrCat("a model folder is written as bfloat16 or float32, "
                     "not ",
                     c10::toString(request.dtype)));
  }
  const std::string building = BuildingPath(request.target);
  std::error_code error;
  fs::remove_all(building, error);
  fs::create_directories(building, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot create ", building, ": ", error.message()));
  }
  absl::Status status = WriteFolder(request, weights, building);
  if (status.ok()) status = WriteFolderManifest(building);
  if (status.ok()) status = PublishFolder(building, request.target);
  if (!status.ok()) fs::remove_all(building, error);
  return status;
}

}  // namespace fpo::train
