#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_file.h"
#include "common/job/job_template.h"

namespace fpo::ctl {

// The arguments of `fpoctl init`; empty: not given. Paths as typed.
struct InitRequest {
  std::string method;  // a template's name
  std::string model;
  std::vector<std::string> data;
  std::vector<std::string> eval;
  std::string sae;
  bool has_gpu = false;  // of this machine
  Variables variables = {};
  std::string baseline = {};  // of kind judge
};

// Inspects the model, data and SAE, and chooses the values that follow from them, each with its
// reason; typed values have none. Errors: NotFound and InvalidArgument name the file or folder, and
// say what a model or an SAE needs.
absl::StatusOr<std::vector<TemplateChoice>> ChooseForJob(const InitRequest& request);

// Whether the driver of an NVIDIA GPU is present.
bool HasGpu();

}  // namespace fpo::ctl
