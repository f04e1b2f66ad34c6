#include "train/runs/metrics_log.h"

#include <fcntl.h>

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/objective/evaluation_file.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

// eval_tokens, eval_NAME_pairs, ...
bool IsHeldOutCount(const std::string& name) {
  return absl::StartsWith(name, "eval_") &&
         (absl::EndsWith(name, "_tokens") || absl::EndsWith(name, "_pairs"));
}

struct Kept {
  std::string lines;
  int64_t evaluated_step = -1;  // the last one with an evaluation
  int64_t evaluations = 0;      // of that step
};

Kept LinesUpTo(const std::string& text, int64_t last_step) {
  std::istringstream lines(text);
  Kept kept;
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number()) continue;
    const int64_t step = json["step"].get<int64_t>();
    if (step > last_step) continue;
    absl::StrAppend(&kept.lines, line, "\n");
    if (!json.contains("eval_seconds")) continue;
    kept.evaluations = step == kept.evaluated_step ? kept.evaluations + 1 : 1;
    kept.evaluated_step = step;
  }
  return kept;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsLog>> MetricsLog::Open(const std::string& path,
                                                             int64_t last_step) {
  Kept kept;
  if (last_step >= 0 && std::filesystem::exists(path)) {
    FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    kept = LinesUpTo(text, last_step);
  }
  FPO_RETURN_IF_ERROR(AsStorageError(WriteFileAtomically(path, kept.lines)));
  FileDescriptor file(open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!file.is_open()) return AsStorageError(PosixError(errno, "append to", path));
  const std::filesystem::path out = std::filesystem::path(path).parent_path();
  auto tensorboard = TensorBoardLog::Open((out / "tensorboard").string(), last_step + 1);
  if (!tensorboard.ok()) return AsStorageError(tensorboard.status());
  std::unique_ptr<MetricsLog> log(new MetricsLog(path, std::move(file), *std::move(tensorboard)));
  log->evaluated_step_ = kept.evaluated_step;
  log->evaluations_ = kept.evaluations;
  return log;
}

absl::Status MetricsLog::Append(int64_t step, double epoch,
                                const std::map<std::string, double>& values) {
  Json line;
  line["step"] = step;
  line["epoch"] = epoch;
  for (const auto& [name, value] : values) {
    const bool whole = std::isfinite(value) && value == std::floor(value) && std::abs(value) < 1e15;
    if (!std::isfinite(value)) {
      line[name] = nullptr;
    } else if (whole && (name == "tokens" || name == "pairs" || name == "memory_peak_bytes" ||
                         name == "device_memory_peak_bytes" || IsHeldOutCount(name))) {
      line[name] = static_cast<int64_t>(value);
    } else {
      line[name] = value;
    }
  }
  const absl::Status written = Write(line.dump() + "\n", step, values);
  if (written.ok()) return written;
  return FailWith(
      ExitCode::kStorage,
      absl::StrCat(written.message(), "; free disk space and start again with --resume"));
}

absl::Status MetricsLog::Write(const std::string& line, int64_t step,
                               const std::map<std::string, double>& values) {
  FPO_RETURN_IF_ERROR(WriteAll(file_, line, path_));
  return tensorboard_->Append(step, values);
}

absl::Status MetricsLog::AppendEvaluation(const EvaluationPlace& place,
                                          const SetEvaluations& evaluation) {
  const std::string out = std::filesystem::path(path_).parent_path().string();
  for (const SetPairs& set : evaluation.pairs) {
    const std::string path = EvaluationFileOf(out, place.step, set.name);
    FPO_RETURN_IF_ERROR(WriteEvaluationFile(path, *set.tokens, set.values));
  }
  return HasEvaluation(place) ? absl::OkStatus()
                              : Append(place.step, place.epoch, evaluation.metrics);
}

}  // namespace fpo::train
