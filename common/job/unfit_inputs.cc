#include "common/job/unfit_inputs.h"

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/data_file_bytes.h"
#include "common/files/data_file_name.h"
#include "common/files/data_files.h"
#include "common/files/missing_path.h"
#include "common/inputs/model_shape.h"
#include "common/inputs/sae_fit.h"
#include "common/job/job_paths.h"
#include "common/job/method_table.h"
#include "common/object_store/object_url.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

absl::Status CheckSae(const SaeSection& section, const std::vector<ModelShape>& models) {
  FPO_ASSIGN_OR_RETURN(const SaeSource source, FindSaeSource(section.path));
  FPO_ASSIGN_OR_RETURN(SaeDescription sae, DescribeSae(source));
  FPO_RETURN_IF_ERROR(ResolvePlace(section.path, section.layer, section.site, &sae));
  FPO_RETURN_IF_ERROR(ResolveNormalisation(section.path, section.normalization, &sae));
  for (const ModelShape& model : models) {
    FPO_RETURN_IF_ERROR(CheckSaeFits(section.path, sae, model));
  }
  return absl::OkStatus();
}

class InputChecks {
 public:
  explicit InputChecks(const JobConfig& config) : config_(config) {}

  std::vector<JobProblem> Run() {
    for (const JobPath& path : JobPaths(&config_)) {
      if (!IsRead(config_, path) || IsUrl(*path.path)) continue;
      if (path.kind == JobPath::Kind::kModel) CheckModel(path);
      if (path.kind == JobPath::Kind::kData) CheckData(path);
      if (path.kind == JobPath::Kind::kPrompts) CheckFile(path.key, *path.path);
    }
    for (size_t i = 0; i < config_.sae.size(); ++i) CheckSaeSection(i);
    return std::move(problems_);
  }

 private:
  // Missing inputs are reported elsewhere.
  void Note(const std::string& key, const absl::Status& status) {
    if (status.ok() || absl::IsNotFound(status)) return;
    problems_.push_back({0, key, std::string(status.message())});
  }

  void CheckData(const JobPath& path) {
    const auto files = ExpandDataFiles(*path.path);
    Note(path.key, files.status());
    if (!files.ok()) return;
    for (const std::string& file : *files) {
      if (!CheckFile(path.key, file)) return;
    }
  }

  bool CheckFile(const std::string& key, const std::string& file) {
    absl::Status status = CheckDataFileName(file);
    if (status.ok()) status = CheckDataFileBegin(file);
    Note(key, status);
    return status.ok();
  }

  void CheckModel(const JobPath& path) {
    if (!ModelFolderProblem({*path.path, *path.path}, false).empty()) return;
    const absl::StatusOr<ModelShape> model = ReadModelShape(*path.path);
    Note(path.key, model.status());
    if (!model.ok()) return;
    const bool trained = path.key == "model.path" && config_.kind == "train";
    if (trained && model->nf4 && !config_.adapter.on()) {
      Note(path.key, absl::InvalidArgumentError(absl::StrCat(
                         *path.path, " has weights in NF4 (bitsandbytes); only an adapter beside ",
                         "them can be trained: adapter.kind: qlora")));
    }
    models_.push_back(*model);
  }

  void CheckSaeSection(size_t i) {
    const SaeSection& sae = config_.sae[i];
    const std::string key = config_.sae.size() == 1 ? "sae" : absl::StrCat("sae.", i);
    const bool trained = config_.kind == "sae";
    if (config_.kind == "generate" || config_.kind == "judge") return;
    if (!trained && !ComparesFeatures(config_.method)) return;
    if (IsUrl(sae.path)) return;
    if (!trained && config_.method.features != "hidden") {
      return Note(key + ".path", CheckSae(sae, models_));
    }
    for (const ModelShape& model : models_) {
      if (!sae.layer.has_value()) continue;
      const absl::Status layer = CheckLayer(*sae.layer, model);
      if (!layer.ok()) return Note(key + ".layer", layer);
    }
  }

  JobConfig config_;
  std::vector<ModelShape> models_;  // models that the features are read from
  std::vector<JobProblem> problems_;
};

}  // namespace

std::vector<JobProblem> UnfitInputs(const JobConfig& config) { return InputChecks(config).Run(); }

}  // namespace fpo
