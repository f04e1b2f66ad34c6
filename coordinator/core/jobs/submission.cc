#include "coordinator/core/jobs/submission.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "common/job/job_file.h"
#include "common/job/method_table.h"
#include "coordinator/core/jobs/live_outputs.h"

namespace fpo::coordinator {
namespace {

absl::Status Invalid(absl::string_view message) {
  return WithErrorInfo(absl::InvalidArgumentError(message),
                       {.reason = ErrorReason::kInvalidJob,
                        .field = "spec.config_json",
                        .hint = "the lines: fpoctl validate job.yaml"});
}

std::map<std::string, std::string> Required(const JobConfig& config) {
  std::map<std::string, std::string> labels;
  for (const std::string& label : config.resources.require) {
    const size_t equals = label.find('=');
    labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return labels;
}

// Jobs with the same key read the same token file and, when their methods need the same reference
// values, the same record file.
std::string DataKey(const JobConfig& config) {
  JobConfig data;
  data.name = "data";
  data.model.path = config.model.path;
  if (config.reference.source == "cached") data.model.dtype = config.model.dtype;
  data.reference = config.reference;
  data.data = config.data;
  if (ComparesFeatures(config.method)) data.sae = config.sae;
  return ToHex(Sha256Of(WriteJobJson(data))).substr(0, 16);
}

}  // namespace

absl::StatusOr<Submission> CheckSubmission(const std::string& config_json) {
  if (config_json.size() > kConfigBytesMax) {
    return Invalid(
        absl::StrCat("the job has ", config_json.size(), " bytes, the limit is ", kConfigBytesMax));
  }
  const absl::StatusOr<JobConfig> config = ReadJobJson(config_json);
  if (!config.ok()) return Invalid(config.status().message());
  for (const JobProblem& problem : CheckNewName(config->name)) {
    return Invalid(absl::StrCat(problem.key, ": ", problem.message));
  }
  if (config->resources.slots < 1 ||
      config->resources.slots > std::numeric_limits<int32_t>::max()) {
    return Invalid(
        absl::StrCat("resources.slots: ", config->resources.slots, " is not a number of slots"));
  }
  Submission submission;
  submission.job.name = config->name;
  submission.job.config_json = WriteJobJson(*config);
  submission.job.kind = FromName<JobKind>(config->kind);
  if (submission.job.kind == JobKind::kTrain) submission.job.method = config->method.name;
  submission.job.labels.insert(config->labels.begin(), config->labels.end());
  submission.job.demand = {.slots = static_cast<int32_t>(config->resources.slots),
                           .min_slots = static_cast<int32_t>(config->resources.min_slots),
                           .priority = config->resources.priority,
                           .max_restarts = config->retry.max_restarts,
                           .retry_on_oom = config->retry.on_oom == "retry",
                           .queue = config->resources.queue,
                           .require = Required(*config),
                           .keep_last = config->checkpoint.keep_last,
                           .keep_best = config->checkpoint.keep_best,
                           .data_key = DataKey(*config),
                           .output = OutputFolderOf(*config)};
  submission.warnings = JobWarnings(*config);
  return submission;
}

std::string SubmissionDigest(const Job& job) {
  std::string asked = absl::StrCat(job.owner.size(), ":", job.owner, job.config_json);
  if (job.state == JobState::kHeld) absl::StrAppend(&asked, "\nhold");
  for (const std::string& other : job.after_ok) absl::StrAppend(&asked, "\nafter ", other);
  for (const std::string& other : job.after_end) absl::StrAppend(&asked, "\nafter end ", other);
  if (!job.retry_of.empty()) {
    absl::StrAppend(&asked, "\nretry ", job.retry_of, " from ", job.checkpoint_step);
  }
  return ToHex(Sha256Of(asked));
}

}  // namespace fpo::coordinator
