#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/formats/safetensors.h"
#include "train/model/gemma_config.h"
#include "train/model/lora.h"

namespace fpo::train {

// An adapter in the form of Hugging Face's PEFT: adapter_config.json, adapter_model.safetensors.
struct PeftAdapter {
  LoraConfig lora;
  NamedTensors tensors;  // float32, in the order of LoraNames
  std::string base;      // base_model_name_or_path, as written
  std::string digest;    // hex, of configuration and tensors
};

inline constexpr char kPeftWeights[] = "adapter_model.safetensors";

// A tensor's name as LoraNames has it, of one that Gemma's classes of transformers gave, old or
// new.
std::string PlainLoraName(const std::string& name);
// In float32, with memory of its own; InvalidArgument when it has another shape or is not finite.
absl::StatusOr<at::Tensor> ReadAdapterTensor(const SafetensorsFile& file, const std::string& name,
                                             const std::vector<int64_t>& shape);

// An adapter that training can go on from. NotFound: no such folder or file. InvalidArgument: what
// ReadPeftConfig refuses, an option that can only be merged (OnlyMergeable), a tensor that is
// missing, unexpected, of another shape than the model's, or not finite.
absl::StatusOr<PeftAdapter> ReadPeftFolder(const std::string& folder, const GemmaConfig& config);

struct PeftExport {
  std::string target;  // usually OUT/adapter
  std::string base;    // path or name of the model that it belongs to
  std::string card = "";
};

// Writes a folder that peft's PeftModel.from_pretrained and AutoPeftModelForCausalLM read, with a
// folder manifest. Complete or absent. `tensors` in the order of LoraNames.
absl::Status WritePeftFolder(const PeftExport& request, const GemmaConfig& config,
                             const PeftAdapter& adapter);

}  // namespace fpo::train
