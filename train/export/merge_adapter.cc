#include "train/export/merge_adapter.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/export/export_policy.h"
#include "train/export/missing_tokenizer_files.h"
#include "train/export/peft_folder.h"
#include "train/formats/nf4_names.h"
#include "train/formats/peft_config.h"
#include "train/loop/model_loader.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kA = ".lora_A.weight", kB = ".lora_B.weight";
constexpr absl::string_view kMagnitude = ".lora_magnitude_vector";

// What an adapter holds for one weight.
struct Delta {
  at::Tensor a, b;       // [rank, in], [out, rank]
  at::Tensor magnitude;  // [out]; undefined: no DoRA
  double scale = 0;
};

class DeltaReader {
 public:
  DeltaReader(const PeftConfig& config, const SafetensorsFile& file, const GemmaConfig& model)
      : config_(config), file_(file), shapes_(TensorShapes(model)) {}

  // By the canonical names of the weights. Each tensor of the file is part of one.
  absl::StatusOr<std::map<std::string, Delta>> Read() const {
    std::map<std::string, Delta> deltas;
    size_t used = 0;
    for (const auto& [name, entry] : file_.entries()) {
      if (!absl::EndsWith(name, kA)) continue;
      const std::string module(absl::StripSuffix(name, kA));
      FPO_ASSIGN_OR_RETURN(deltas[LoraWeightOf(PlainLoraName(name))], Of(module));
      used += config_.dora ? 3 : 2;
    }
    if (used > 0 && used == file_.entries().size()) return deltas;
    for (const auto& [name, entry] : file_.entries()) FPO_RETURN_IF_ERROR(CheckIsPart(name));
    return Refuse(used == 0 ? "has no tensors" : "has two tensors for one weight");
  }

 private:
  absl::Status Refuse(absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat("adapter ", file_.path(), " ", why));
  }

  absl::StatusOr<Delta> Of(const std::string& module) const {
    const auto weight = shapes_.find(LoraWeightOf(PlainLoraName(absl::StrCat(module, kA))));
    if (weight == shapes_.end() || weight->second.size() != 2) {
      return Refuse(absl::StrCat("adapts ", module, ", which this model does not have"));
    }
    const int64_t out = weight->second[0], in = weight->second[1];
    const absl::string_view in_model = absl::StripPrefix(module, "base_model.model.");
    const int64_t rank = config_.RankOf(in_model);
    Delta delta;
    FPO_ASSIGN_OR_RETURN(delta.a, ReadAdapterTensor(file_, absl::StrCat(module, kA), {rank, in}));
    FPO_ASSIGN_OR_RETURN(delta.b, ReadAdapterTensor(file_, absl::StrCat(module, kB), {out, rank}));
    if (config_.dora) {
      FPO_ASSIGN_OR_RETURN(delta.magnitude,
                           ReadAdapterTensor(file_, absl::StrCat(module, kMagnitude), {out}));
    }
    delta.scale = config_.ScaleOf(in_model);
    return delta;
  }

  absl::Status CheckIsPart(const std::string& name) const {
    for (const absl::string_view ending : {kA, kB, kMagnitude}) {
      absl::string_view module = name;
      if (!absl::ConsumeSuffix(&module, ending)) continue;
      const bool wanted = ending != kMagnitude || config_.dora;
      if (wanted && file_.Contains(absl::StrCat(module, kA))) return absl::OkStatus();
    }
    return Refuse(absl::StrCat("holds \"", name, "\", which is not part of a LoRA adapter of ",
                               "projections; nothing was merged"));
  }

  const PeftConfig& config_;
  const SafetensorsFile& file_;
  const std::map<std::string, std::vector<int64_t>> shapes_;
};

at::Tensor WithDelta(const at::Tensor& weight, const Delta& delta) {
  if (!delta.magnitude.defined()) {
    return MergedWeight({weight, delta.a, delta.b, delta.scale});
  }
  const at::Tensor sum = MergedWeight({weight.to(at::kFloat), delta.a, delta.b, delta.scale});
  const at::Tensor norm = at::linalg_vector_norm(sum, 2, 1);
  return (sum * (delta.magnitude / norm).unsqueeze(1)).to(weight.scalar_type());
}

absl::StatusOr<std::string> BaseOf(const AdapterMerge& request, const PeftConfig& config) {
  if (!request.base.empty()) return fs::absolute(request.base).lexically_normal().string();
  std::error_code error;
  if (fs::is_directory(config.base, error)) return config.base;
  return absl::NotFoundError(absl::StrCat(
      "adapter ", request.adapter, " names ",
      config.base.empty() ? "no base model" : absl::StrCat("the base model ", config.base),
      ", which is no folder here; name its folder with --model"));
}

// As stored, if all that are not packed in 4 bits have one type that a folder is written in; else
// float32, which holds them.
absl::StatusOr<at::ScalarType> TypeOf(const std::string& folder, const TensorMap& weights) {
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory directory, SafetensorsDirectory::Open(folder));
  const bool packed = !SplitNf4Names(directory.Names()).packed.empty();
  for (const auto& [name, tensor] : weights) {
    if (packed && IsProjection(name)) continue;
    if (tensor.scalar_type() != at::kBFloat16) return at::kFloat;
  }
  return at::kBFloat16;
}

// Of the adapter, where its maker has put it; "": none.
std::string ChatTemplateOf(const std::string& folder) {
  constexpr int64_t kTemplateBytesMax = 1 << 20;
  return ReadFile(folder + "/chat_template.jinja", kTemplateBytesMax).value_or("");
}

}  // namespace

bool IsPeftFolder(const std::string& folder) {
  std::error_code error;
  return fs::exists(folder + "/adapter_config.json", error);
}

absl::Status MergeAdapter(const AdapterMerge& request, EventSink& events) {
  FPO_ASSIGN_OR_RETURN(const PeftConfig config, ReadPeftConfig(request.adapter));
  FPO_ASSIGN_OR_RETURN(const std::string base, BaseOf(request, config));
  FPO_ASSIGN_OR_RETURN(const GemmaConfig model, ReadModelConfig(base));
  FPO_ASSIGN_OR_RETURN(const auto file,
                       SafetensorsFile::Open(absl::StrCat(request.adapter, "/", kPeftWeights)));
  FPO_ASSIGN_OR_RETURN(const auto deltas, DeltaReader(config, *file, model).Read());
  FPO_ASSIGN_OR_RETURN(TensorMap weights, MapWeights(base));
  FPO_ASSIGN_OR_RETURN(const at::ScalarType dtype, TypeOf(base, weights));
  for (const auto& [name, delta] : deltas) {
    const auto it = weights.find(name);
    if (it == weights.end()) {
      return absl::InvalidArgumentError(absl::StrCat("model ", base, " has no tensor ", name));
    }
    const bool half = it->second.scalar_type() == at::kHalf;
    it->second = WithDelta(half ? it->second.to(at::kFloat) : it->second, delta);
  }
  FPO_RETURN_IF_ERROR(file->CheckUnchanged());
  PolicyExport made{base, request.out, dtype, {}};
  made.serving.chat_template = ChatTemplateOf(request.adapter);
  AddMissingTokenizerFiles(base, events, &made.serving);
  FPO_RETURN_IF_ERROR(ExportPolicy(Lazy(weights), made));
  events.Emit(ResultEvent(made.target, 0, {}));
  return absl::OkStatus();
}

}  // namespace fpo::train
