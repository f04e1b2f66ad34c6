#include "train/runs/run_contents.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr int64_t kRunJsonBytesMax = int64_t{16} << 20;

// With one SAE its key is "sae.path".
std::string SaeKey(size_t index, size_t count) {
  return count == 1 ? "sae.path" : absl::StrCat("sae.", index, ".path");
}

// What a template does shows in the tokens.
std::string ContentKey(const std::string& key) {
  return key == "data.template" ? "data.train" : key;
}

absl::Status OtherContent(const JobDifference& change, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("this run cannot continue with ", change.key, " ", change.first,
                   ": it began with ", change.second, ", and ", why,
                   "; name a copy of what it began with, or start a new run in "
                   "another output folder"));
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ContentsOf(const JobConfig& job,
                                                              const RunInputs& inputs) {
  std::map<std::string, std::string> contents;
  contents["model.path"] = inputs.policy.digest;
  contents["data.train"] = ToHex(inputs.train.digest());
  std::string eval = ToHex(inputs.eval.digest());
  for (const EvalTokens& set : inputs.more_eval) eval += ToHex(set.tokens.digest());
  contents["data.eval"] = inputs.more_eval.empty() ? eval : ToHex(Sha256Of(eval));
  if (!inputs.use.model_digest.empty()) contents["reference.path"] = inputs.use.model_digest;
  const auto& saes = inputs.objective.saes;
  for (size_t i = 0; i < saes.size(); ++i) contents[SaeKey(i, saes.size())] = saes[i].digest;
  if (!job.method.feature_weights.empty()) {
    FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(job.method.feature_weights));
    contents["method.feature_weights"] = ToHex(Sha256Of(text));
  }
  return contents;
}

absl::Status CheckSameContents(const std::string& folder, const std::vector<JobDifference>& changes,
                               const std::map<std::string, std::string>& contents) {
  const auto text = ReadFile(folder + "/run.json", kRunJsonBytesMax);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(text.status());
  const nlohmann::json record = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const nlohmann::json before =
      record.is_object() ? record.value("contents", nlohmann::json()) : nlohmann::json();
  for (const JobDifference& change : changes) {
    if (!change.is_path) continue;
    const auto now = contents.find(ContentKey(change.key));
    if (now == contents.end()) continue;  // not read by this method
    const nlohmann::json was =
        before.is_object() ? before.value(now->first, nlohmann::json()) : nlohmann::json();
    if (!was.is_string()) {
      return OtherContent(change, "run.json, of an older version, does not say what was there");
    }
    if (was != now->second) {
      return OtherContent(
          change, absl::StrCat("something else is there now (digest ", now->second.substr(0, 12),
                               ", not ", was.get<std::string>().substr(0, 12), ")"));
    }
  }
  return absl::OkStatus();
}

bool ChangesMicroBatches(const std::vector<JobDifference>& changes) {
  return std::any_of(changes.begin(), changes.end(), [](const JobDifference& change) {
    return change.key == "batch.tokens_per_microbatch";
  });
}

std::string DescribeChanges(const std::vector<JobDifference>& changes) {
  if (changes.empty()) return "";
  bool paths = false;
  for (const JobDifference& change : changes) paths |= change.is_path;
  return absl::StrCat("continues with ", DescribeDifferences(changes, "now", "before"),
                      paths ? "; the contents are the same" : "");
}

}  // namespace fpo::train
