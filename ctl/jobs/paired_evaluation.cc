#include "ctl/jobs/paired_evaluation.h"

#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "ctl/jobs/artifact_fetch.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int64_t kPairsFileBytesMax = int64_t{256} << 20;
constexpr char kMargin[] = "rewards/margins";
constexpr const char* kPairedMetrics[] = {"accuracy", kMargin, "loss"};

struct PairLine {
  std::string pair;
  std::map<std::string, double> values;
};

absl::StatusOr<PairLine> ParsePairLine(absl::string_view text) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  PairLine line;
  FPO_RETURN_IF_ERROR(ReadMember(json, "pair", &line.pair));
  if (line.pair.empty()) {
    return absl::InvalidArgumentError(
        "it does not say which pair it is of, as those of older versions; evaluate again");
  }
  for (const auto& [name, value] : json.items()) {
    if (value.is_number() && name != "index" && name != "row") line.values[name] = value;
  }
  return line;
}

// The evaluation that a job's result is of: its only one, or that of its last step.
const pb::ArtifactFile* FinalEvaluation(const std::vector<pb::ArtifactFile>& files) {
  const pb::ArtifactFile* found = nullptr;
  int64_t last = -1;
  for (const pb::ArtifactFile& file : files) {
    if (file.name() == "evaluation.pairs.jsonl") return &file;
    absl::string_view name = file.name();
    int64_t step = 0;
    if (!absl::ConsumePrefix(&name, "evaluations/step-") || !absl::ConsumeSuffix(&name, ".jsonl") ||
        !absl::SimpleAtoi(name, &step) || step <= last) {
      continue;
    }
    last = step;
    found = &file;
  }
  return found;
}

// A folder for one file, removed with the object.
class PassingFolder {
 public:
  PassingFolder() {
    std::error_code error;
    path_ = (std::filesystem::temp_directory_path(error) / "fpoctl-XXXXXX").string();
    if (error || mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~PassingFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

absl::Status NoEvaluation(const std::string& job_id) {
  return absl::NotFoundError(
      absl::StrCat("job ", job_id, " has no evaluation pair by pair: it had no data.eval"));
}

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

absl::StatusOr<EvaluationByPair> ParseEvaluationByPair(absl::string_view json_lines) {
  std::vector<PairLine> lines;
  for (const absl::string_view text : absl::StrSplit(json_lines, '\n', absl::SkipEmpty())) {
    auto line = ParsePairLine(text);
    if (!line.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", lines.size() + 1, ": ", line.status().message()));
    }
    lines.push_back(*std::move(line));
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const PairLine& a, const PairLine& b) { return a.pair < b.pair; });
  EvaluationByPair result;
  for (const PairLine& line : lines) {
    result.pairs.push_back(line.pair);
    for (const auto& [name, value] : line.values) result.values[name].push_back(value);
  }
  for (auto it = result.values.begin(); it != result.values.end();) {
    it = it->second.size() == lines.size() ? std::next(it) : result.values.erase(it);
  }
  if (const auto margins = result.values.find(kMargin); margins != result.values.end()) {
    std::vector<double> wins;
    for (const double margin : margins->second) wins.push_back(margin > 0 ? 1 : 0);
    result.values["accuracy"] = std::move(wins);
  }
  return result;
}

absl::StatusOr<EvaluationByPair> FetchEvaluationByPair(Session& session,
                                                       CoordinatorClient& coordinator,
                                                       const std::string& job_id) {
  ArtifactFetch::Dependencies dependencies;
  dependencies.coordinator = &coordinator;
  dependencies.interrupt = &session.interrupt;
  dependencies.on_bytes = [](int64_t, bool) {};
  // A worker that is away for longer leaves the table without intervals; nobody waits for it.
  dependencies.backoff = {absl::Milliseconds(50), absl::Milliseconds(200), 0};
  ArtifactFetch fetch(dependencies, {job_id});
  FPO_ASSIGN_OR_RETURN(const std::vector<pb::ArtifactFile> files, fetch.List());
  const pb::ArtifactFile* file = FinalEvaluation(files);
  if (file == nullptr) return NoEvaluation(job_id);
  if (file->bytes() > kPairsFileBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat(file->name(), " of job ", job_id, " has ",
                                                     file->bytes(), " bytes; at most ",
                                                     kPairsFileBytesMax, " are read"));
  }
  const PassingFolder passing;
  FPO_ASSIGN_OR_RETURN(const OpenFolder folder, OpenFolder::Make(passing.path()));
  fetch.Into(&folder);
  FPO_RETURN_IF_ERROR(fetch.Fetch(*file).status());
  FPO_ASSIGN_OR_RETURN(
      const std::string text,
      ReadFile(absl::StrCat(passing.path(), "/", file->name()), kPairsFileBytesMax));
  auto pairs = ParseEvaluationByPair(text);
  if (pairs.ok()) return pairs;
  return absl::Status(pairs.status().code(), absl::StrCat(file->name(), " of job ", job_id, ", ",
                                                          pairs.status().message()));
}

absl::StatusOr<PairedEvaluation> PairEvaluations(const EvaluationByPair& baseline,
                                                 const EvaluationByPair& job) {
  if (baseline.pairs != job.pairs) {
    std::vector<std::string> shared;
    std::set_intersection(baseline.pairs.begin(), baseline.pairs.end(), job.pairs.begin(),
                          job.pairs.end(), std::back_inserter(shared));
    return absl::FailedPreconditionError(absl::StrCat(
        "their evaluation data differ: ", shared.size(), " pairs in common, of ", job.pairs.size(),
        " and ", baseline.pairs.size(), " (data.eval, evaluate.pairs, template, tokenizer and ",
        "limits must be the same)"));
  }
  PairedEvaluation result;
  result.pairs = static_cast<int64_t>(job.pairs.size());
  if (job.pairs.empty()) return absl::FailedPreconditionError("their evaluations have no pairs");
  for (const char* metric : kPairedMetrics) {
    const auto a = job.values.find(metric), b = baseline.values.find(metric);
    if (a == job.values.end() || b == baseline.values.end()) continue;
    result.metrics.push_back({metric, MeanOf(b->second), MeanOf(a->second),
                              PairedBootstrap(a->second, b->second, BootstrapOptions())});
  }
  return result;
}

}  // namespace fpo::ctl
