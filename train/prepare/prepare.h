#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/input_check.h"
#include "common/job/job_config.h"
#include "train/data/admission_report.h"

namespace fpo::train {

struct PrepareSummary {
  int64_t train_pairs = 0;
  int64_t eval_pairs = 0;
  AdmissionReport train, eval;
  std::vector<NamedReport> more_eval;  // of the sets of data.eval after the first
  std::string digest;                  // hex, over both token files' digests
  std::vector<std::string> warnings;   // about the model's tokenizer, for the user
  std::vector<std::string> notes;      // facts about it that need no attention
};

// Reads, checks and tokenises the job's data into
// OUT/{train.safetensors,eval.safetensors,admission.json,chat.json,prepare.json}. eval.safetensors
// is written even without eval data (0 pairs); further sets are eval.NAME.safetensors. prepare.json
// is written last: its presence means that the folder is complete. InvalidArgument for bad data or
// limits, NotFound for a missing file, or for a missing tokenizer when a row is text. Does not read
// the model's weights.
absl::StatusOr<PrepareSummary> Prepare(const JobConfig& job, const std::string& out);

// Does what Prepare does with the first `rows_max` rows of each input. Writes nothing. Kinds
// generate and judge have no rows of training data: they are never prepared, so there is nothing to
// say.
InputCheck CheckInputs(const JobConfig& job, int64_t rows_max);

}  // namespace fpo::train
