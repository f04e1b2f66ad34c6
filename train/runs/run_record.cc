#include "train/runs/run_record.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

Json Numbers(const std::map<std::string, double>& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) {
    if (std::isfinite(value)) {
      json[name] = value;
    } else {
      json[name] = nullptr;
    }
  }
  return json;
}

Json ReferenceJson(const ReferenceUse& use) {
  Json json;
  json["source"] = use.source;
  if (use.source == "none") return json;
  json["model_digest"] = use.model_digest;
  if (use.source == "records") {
    json["recipe_id"] = ToHex(RecipeId(use.recipe));
    json["file"] = use.file;
    json["records_computed"] = use.computed;
    json["records_reused"] = use.reused;
  }
  return json;
}

Json SaesJson(const std::vector<LoadedSae>& saes) {
  Json list = Json::array();
  for (const LoadedSae& sae : saes) {
    Json entry;
    entry["path"] = sae.path;
    entry["digest"] = sae.digest;
    entry["layer"] = sae.tap.layer;
    entry["site"] = SiteName(sae.tap.site);
    entry["features"] = sae.sae.features();
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

std::string RunRecordJson(const RunRecord& record, const JobConfig& job, const RunInputs& inputs) {
  Json json;
  json["version"] = record.version;
  json["job"] = job.name;
  json["method"] = job.method.name;
  if (!record.job_id.empty()) json["job_id"] = record.job_id;
  json["finished"] = record.finished;
  if (record.finished) {
    json["finished_at"] =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", record.finished_at, absl::UTCTimeZone());
  }
  json["steps"] = record.steps;
  json["total_steps"] = record.total_steps;
  if (!record.stopped_early.empty()) json["stopped_early"] = record.stopped_early;
  json["device"] = record.device;
  for (const auto& [name, text] : record.device_texts) json[name] = text;
  json["dtype"] = job.model.dtype;
  json["threads"] = record.threads;
  json["world"] = record.world;
  json["sharding"] = record.sharding;
  json["seed"] = job.seed;
  json["model"] = {{"path", job.model.path},
                   {"digest", inputs.policy.digest},
                   {"parameters", ParameterCount(inputs.policy.model.config())}};
  json["data"] = {{"train_pairs", inputs.train.size()},
                  {"eval_pairs", inputs.eval.size()},
                  {"digest", ToHex(inputs.train.digest())}};
  json["reference"] = ReferenceJson(inputs.use);
  // Readers look here for the identity of the records.
  if (inputs.use.source == "records") json["recipe_id"] = ToHex(RecipeId(inputs.use.recipe));
  json["sae"] = SaesJson(inputs.objective.saes);
  json["contents"] = record.contents;
  json["timings"] = Numbers(record.timings);
  json["result"] = Numbers(record.result.metrics);
  for (const auto& [name, text] : record.result.texts) json["result"][name] = text;
  json["warnings"] = record.warnings;
  return json.dump(2) + "\n";
}

absl::StatusOr<RunResult> ReadRunResult(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("result") || !json["result"].is_object()) {
    return absl::DataLossError(absl::StrCat(path, " is not the record of a run"));
  }
  RunResult result;
  for (const auto& [name, value] : json["result"].items()) {
    if (value.is_number()) result.metrics[name] = value.get<double>();
    if (value.is_string()) result.texts[name] = value.get<std::string>();
  }
  return result;
}

}  // namespace fpo::train
