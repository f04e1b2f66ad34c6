#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// NotFound: no such folder or file. InvalidArgument: another kind of adapter, an option that would
// change the arithmetic (DoRA, rsLoRA, biases, ranks by pattern, whole modules saved), a tensor
// that is missing, unexpected, of another shape than the model's, or not finite.
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
