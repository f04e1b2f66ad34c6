#include "server/core/submission.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "common/job_file.h"

namespace fpo::coordinator {
namespace {

absl::Status Invalid(absl::string_view message) {
  return WithErrorInfo(absl::InvalidArgumentError(message),
                       {.reason = "INVALID_JOB",
                        .field = "spec.config_json",
                        .hint = "fpoctl validate FILE names the lines"});
}

}  // namespace

absl::StatusOr<Submission> CheckSubmission(const std::string& config_json) {
  if (config_json.size() > kConfigBytesMax) {
    return Invalid(
        absl::StrCat("the job has ", config_json.size(), " bytes, the limit is ", kConfigBytesMax));
  }
  const absl::StatusOr<JobConfig> config = ReadJobJson(config_json);
  if (!config.ok()) return Invalid(config.status().message());
  if (config->resources.slots < 1 ||
      config->resources.slots > std::numeric_limits<int32_t>::max()) {
    return Invalid(
        absl::StrCat("resources.slots: ", config->resources.slots, " is not a number of slots"));
  }
  Submission submission;
  submission.job.name = config->name;
  submission.job.config_json = WriteJobJson(*config);
  submission.job.kind = config->kind;
  if (config->kind == "train") submission.job.method = config->method.name;
  submission.job.demand = {.slots = static_cast<int32_t>(config->resources.slots),
                           .priority = config->resources.priority,
                           .max_restarts = config->retry.max_restarts,
                           .retry_on_oom = config->retry.on_oom == "retry"};
  submission.warnings = JobWarnings(*config);
  return submission;
}

std::string SubmissionDigest(const Job& job) {
  return ToHex(Sha256Of(absl::StrCat(job.owner.size(), ":", job.owner, job.config_json)));
}

}  // namespace fpo::coordinator
