#include "train/export/export_policy.h"

#include <map>
#include <string>
#include <vector>

#include "common/inputs/model_home.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/checkpoint/hf_export.h"
#include "train/events/exit_status.h"
#include "train/formats/nf4_names.h"
#include "train/formats/safetensors_directory.h"
#include "train/loop/model_loader.h"
#include "train/model/weight_names.h"

namespace fpo::train {

absl::Status ExportPolicy(const LazyTensors& trained, const PolicyExport& request) {
  const Work work({"finish", "exporting the model", 0, 0, ""});
  // A checkpoint holds the text model alone; the model its run started from has all the rest.
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(request.source));
  FPO_ASSIGN_OR_RETURN(const GemmaConfig config, ReadModelConfig(home));
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory original, SafetensorsDirectory::Open(home));
  const std::vector<std::string> names = SplitNf4Names(original.Names()).tensors;
  FPO_ASSIGN_OR_RETURN(const TensorSelection selection, SelectTensors(config, names));
  const std::map<std::string, std::string> canonical(selection.used.begin(), selection.used.end());
  FPO_ASSIGN_OR_RETURN(const LazyTensors stored, original.ForWriting());
  LazyTensors weights;
  for (const std::string& name : names) {
    const auto used = canonical.find(name);
    if (used == canonical.end()) {
      weights[name] = stored.at(name);
      continue;
    }
    auto it = trained.find(used->second);
    if (it == trained.end()) it = trained.find("model.embed_tokens.weight");  // the tied head
    weights[name] = it->second;
  }
  const absl::Status status =
      ExportHuggingFace({home, request.target, request.dtype, request.serving}, weights);
  return absl::IsUnavailable(status) ? AsStorageError(status) : status;
}

ServingFiles ServingFilesOf(const std::optional<TurnRecord>& turns) {
  ServingFiles files;
  if (!turns.has_value()) return files;
  files.chat_template = turns->jinja;
  files.stop_ids.assign(turns->ends.begin(), turns->ends.end());
  return files;
}

}  // namespace fpo::train
