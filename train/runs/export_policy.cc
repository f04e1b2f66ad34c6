#include "train/runs/export_policy.h"

#include <map>

#include "common/inputs/model_home.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/checkpoint/hf_export.h"
#include "train/events/exit_status.h"
#include "train/formats/safetensors_directory.h"
#include "train/model/weight_names.h"

namespace fpo::train {

absl::Status ExportPolicy(const Gemma& model, const std::string& source,
                          const std::string& target) {
  const Work work({"finish", "exporting the model", 0, 0, ""});
  // A checkpoint holds the text model alone; the model its run started from has all the rest.
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(source));
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory original, SafetensorsDirectory::Open(home));
  FPO_ASSIGN_OR_RETURN(const TensorSelection selection,
                       SelectTensors(model.config(), original.Names()));
  const std::map<std::string, std::string> canonical(selection.used.begin(), selection.used.end());
  TensorMap trained(model.Parameters().begin(), model.Parameters().end());
  TensorMap weights;
  for (const std::string& name : original.Names()) {
    const auto used = canonical.find(name);
    if (used == canonical.end()) {
      FPO_ASSIGN_OR_RETURN(weights[name], original.Tensor(name));
      continue;
    }
    const auto it = trained.find(used->second);
    weights[name] = it != trained.end() ? it->second.detach() : model.head().detach();
  }
  const absl::Status status = ExportHuggingFace({home, target, model.dtype()}, weights);
  return absl::IsUnavailable(status) ? AsStorageError(status) : status;
}

}  // namespace fpo::train
