#include "common/job/job_difference.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/job/job_fields.h"
#include "common/job/sections/evaluate_fields.h"
#include "common/text/json.h"

namespace fpo {
namespace {

constexpr size_t kDescribedMax = 4;
constexpr char kAbsent[] = "(absent)";

// The job with every key that does not affect the run's numbers reset to its default.
JobConfig Deciding(JobConfig job) {
  const JobConfig defaults;
  job.name.clear();
  job.labels.clear();
  job.output.clear();
  job.resources = defaults.resources;
  job.retry = defaults.retry;
  job.checkpoint = defaults.checkpoint;
  EvaluateSection deciding;  // the scores of a run's checkpoints are compared
  deciding.metric = DecidingMetric(job);
  deciding.direction = LowerDecides(job).value_or(true) ? "lower" : "higher";
  job.evaluate = deciding;
  job.constraint.sets.clear();  // they are looked at, and change no step
  job.constraint.on_broken = defaults.constraint.on_broken;
  job.features = defaults.features;
  job.method.constraint = ConstraintOf(job.method);  // whether it was named or is the method's own
  job.reference.share = defaults.reference.share;
  job.batch.tokens_per_microbatch = defaults.batch.tokens_per_microbatch;
  job.activation_checkpointing = defaults.activation_checkpointing;
  job.parallel = defaults.parallel;
  job.activation_checkpointing_layers = defaults.activation_checkpointing_layers;
  if (job.schedule.name == "constant") {
    job.max_steps.reset();
    job.epochs = 1;
  }
  return job;
}

using Values = std::vector<std::pair<std::string, std::string>>;

// Numbers as people write them, 0.0001 and 1e-05, as long as no precision is lost.
std::string Text(const JobField& field) {
  const auto* number = std::get_if<double*>(&field.slot);
  if (number == nullptr) return JobFieldText(field);
  const std::string short_text = absl::StrCat(**number);
  double read = 0;
  const bool exact = absl::SimpleAtod(short_text, &read) && read == **number;
  return exact ? short_text : JsonNumber(**number);
}

void Append(const std::string& prefix, const std::vector<JobField>& fields, Values* values) {
  for (const JobField& field : fields) {
    values->emplace_back(absl::StrCat(prefix, field.name), Text(field));
  }
}

// The value with each path that an agent made of a URL from the folder on that is named after its
// content or its commit (InputStore, HubSnapshot): where that is on a host makes no difference.
std::string WithoutPlace(const std::string& value) {
  std::vector<std::string> parts = absl::StrSplit(value, '"');
  for (std::string& part : parts) {
    for (const char* named : {"/inputs/trees/", "/models--", "/datasets--"}) {
      const size_t at = part.find(named);
      if (at != std::string::npos) part = part.substr(at);
    }
  }
  return absl::StrJoin(parts, "\"");
}

// Every key with its value, in the order of the file.
Values ValuesOf(JobConfig job) {
  Values values;
  for (const JobEntry& entry : JobEntries(&job)) {
    if (entry.kind == JobEntry::Kind::kField) Append("", entry.fields, &values);
    if (entry.kind == JobEntry::Kind::kSection) {
      Append(absl::StrCat(entry.name, "."), entry.fields, &values);
    }
    if (entry.kind != JobEntry::Kind::kSaeList) continue;
    for (size_t i = 0; i < job.sae.size(); ++i) {
      Append(job.sae.size() == 1 ? "sae." : absl::StrCat("sae.", i, "."), SaeFields(&job.sae[i]),
             &values);
    }
  }
  return values;
}

// A template is a path only when it is a file.
bool IsPathKey(const std::string& key, const std::string& first, const std::string& second) {
  if (key == "data.template") {
    return absl::EndsWith(first, ".jinja\"") && absl::EndsWith(second, ".jinja\"");
  }
  if (first == kAbsent || second == kAbsent) return false;
  if (absl::StartsWith(key, "sae.")) return absl::EndsWith(key, "path");
  return key == "model.path" || key == "reference.path" || key == "data.train" ||
         key == "data.eval" || key == "method.feature_weights";
}

std::vector<JobDifference> Compare(const JobConfig& first, const JobConfig& second) {
  const Values a = ValuesOf(first), b = ValuesOf(second);
  std::map<std::string, std::string> rest(b.begin(), b.end());
  std::vector<JobDifference> differences;
  for (const auto& [key, value] : a) {
    const auto other = rest.find(key);
    if (other == rest.end()) {
      differences.push_back({key, value, kAbsent});
      continue;
    }
    if (other->second != value && WithoutPlace(other->second) != WithoutPlace(value)) {
      differences.push_back({key, value, other->second});
    }
    rest.erase(other);
  }
  for (const auto& [key, value] : b) {
    if (rest.count(key) > 0) differences.push_back({key, kAbsent, value});
  }
  for (JobDifference& each : differences) {
    each.is_path = IsPathKey(each.key, each.first, each.second);
  }
  return differences;
}

}  // namespace

std::vector<JobDifference> RunDifferences(const JobConfig& first, const JobConfig& second) {
  return Compare(Deciding(first), Deciding(second));
}

std::vector<JobDifference> DecidingDifferences(const JobConfig& first, const JobConfig& second) {
  std::vector<JobDifference> differences = RunDifferences(first, second);
  std::erase_if(differences, [](const JobDifference& each) { return each.is_path; });
  return differences;
}

std::vector<JobDifference> NotedDifferences(const JobConfig& first, const JobConfig& second) {
  std::vector<JobDifference> noted;
  for (JobDifference& each : Compare(first, second)) {
    const bool computing =
        each.key == "batch.tokens_per_microbatch" || each.key == "activation_checkpointing" ||
        each.key == "activation_checkpointing_layers" || each.key == "parallel.shard";
    if (each.is_path || computing) noted.push_back(std::move(each));
  }
  return noted;
}

std::string DescribeDifferences(const std::vector<JobDifference>& differences,
                                const std::string& here, const std::string& there) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min(differences.size(), kDescribedMax); ++i) {
    const JobDifference& each = differences[i];
    parts.push_back(
        absl::StrCat(each.key, ": ", each.first, " ", here, ", ", each.second, " ", there));
  }
  if (differences.size() > kDescribedMax) {
    parts.push_back(absl::StrCat("and ", differences.size() - kDescribedMax, " more"));
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace fpo
