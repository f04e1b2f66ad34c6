#include "train/runs/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/formats/durable_file.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

struct Kept {
  std::string lines;
  int64_t evaluated_step = -1;  // the last one with an evaluation
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
    if (json.contains("eval_seconds")) kept.evaluated_step = step;
  }
  return kept;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsLog>> MetricsLog::Open(const std::string& path,
                                                             int64_t last_step) {
  Kept kept;
  if (last_step >= 0 && std::filesystem::exists(path)) {
    FPO_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path));
    kept = LinesUpTo(text, last_step);
  }
  FPO_RETURN_IF_ERROR(AsStorageError(WriteFileDurably(path, kept.lines)));
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor < 0) {
    return FailWith(ExitCode::kStorage,
                    absl::StrCat("cannot append to ", path, ": ", std::strerror(errno)));
  }
  return std::unique_ptr<MetricsLog>(new MetricsLog(path, descriptor, kept.evaluated_step));
}

MetricsLog::~MetricsLog() { close(descriptor_); }

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
                         name == "eval_tokens" || name == "eval_pairs")) {
      line[name] = static_cast<int64_t>(value);
    } else {
      line[name] = value;
    }
  }
  const std::string text = line.dump() + "\n";
  if (write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return FailWith(ExitCode::kStorage,
                    absl::StrCat("cannot write to ", path_, ": ", std::strerror(errno),
                                 "; free disk space and start again with --resume"));
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
