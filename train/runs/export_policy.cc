#include "train/runs/export_policy.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/checkpoint/hf_export.h"
#include "train/events/exit_status.h"
#include "train/formats/safetensors_directory.h"

namespace fpo::train {
namespace {

// Nested files put the text model under a prefix.
std::string CanonicalName(absl::string_view name) {
  if (absl::ConsumePrefix(&name, "model.language_model.")) return absl::StrCat("model.", name);
  absl::ConsumePrefix(&name, "language_model.");
  return std::string(name);
}

}  // namespace

absl::Status ExportPolicy(const Gemma& model, const std::string& source,
                          const std::string& target) {
  const Work work({"finish", "exporting the model", 0, 0, ""});
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory original, SafetensorsDirectory::Open(source));
  TensorMap trained(model.Parameters().begin(), model.Parameters().end());
  TensorMap weights;
  for (const std::string& name : original.Names()) {
    const auto it = trained.find(CanonicalName(name));
    if (it != trained.end()) {
      weights[name] = it->second.detach();
    } else if (CanonicalName(name) == "lm_head.weight") {
      weights[name] = model.head().detach();
    } else {
      FPO_ASSIGN_OR_RETURN(weights[name], original.Tensor(name));
    }
  }
  const absl::Status status = ExportHuggingFace({source, target, model.dtype()}, weights);
  return absl::IsUnavailable(status) ? AsStorageError(status) : status;
}

}  // namespace fpo::train
