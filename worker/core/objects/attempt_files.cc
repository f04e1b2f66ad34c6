#include "worker/core/objects/attempt_files.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/object_store/object_url.h"
#include "common/status_macros.h"
#include "worker/core/phase_plan.h"

namespace fpo::worker {

absl::Status AttemptFiles::Fetch(JobConfig* config, std::stop_token stop) {
  const JobInputs::Observer observer = {[this](const std::string& text) { output_->Note(text); },
                                        [this](const std::string& activity) {
                                          output_->Emit(ProgressEvent("prepare", {}, activity));
                                        }};
  FPO_RETURN_IF_ERROR(inputs_.Fetch(config, observer, stop));
  if (!IsUrl(config->output)) return absl::OkStatus();
  const absl::Status status = PullOutput(config, stop);
  const bool for_the_user = absl::IsNotFound(status) || absl::IsPermissionDenied(status);
  return for_the_user ? absl::InvalidArgumentError(absl::StrCat("output: ", status.message()))
                      : status;
}

absl::Status AttemptFiles::PullOutput(JobConfig* config, std::stop_token stop) {
  const std::string url = config->output;
  config->output = LocalOutput(options_.places, url);
  if (!WritesOutput(*config)) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const ObjectName prefix, ParseS3Url(url));
  if (objects_ == nullptr) {
    return absl::PermissionDeniedError(
        absl::StrCat(url, ": this worker's AWS_... variables are wrong; see its log"));
  }
  const AttemptRef& attempt = options_.attempt;
  mirror_ = std::make_unique<OutputMirror>(
      OutputMirror::Options{prefix, config->output, attempt.job_id, attempt.epoch}, objects_);
  const auto note = [this](const std::string& text) { output_->Note(text); };
  return mirror_->Pull(options_.discard_after_step, note, stop);
}

absl::Status AttemptFiles::Begin(const JobConfig& config) {
  std::vector<std::string> folders = {options_.job_folder};
  if (options_.leads && WritesOutput(config)) folders.push_back(config.output);
  for (const std::string& folder : folders) {
    FPO_RETURN_IF_ERROR(inputs_.CheckUnchanged(folder));
    FPO_RETURN_IF_ERROR(inputs_.Remember(folder));
  }
  if (mirror_ && options_.leads) FPO_RETURN_IF_ERROR(mirror_->Claim());
  begun_ = true;
  return absl::OkStatus();
}

std::unique_ptr<OutputPusher> AttemptFiles::StartPushing() {
  if (!mirror_ || !options_.leads || !begun_) return nullptr;
  return std::make_unique<OutputPusher>(
      OutputPusher::Options(), mirror_.get(), output_,
      [this](const std::string& text) { output_->Note(absl::StrCat("warning: ", text)); });
}

}  // namespace fpo::worker
