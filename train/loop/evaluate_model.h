#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"

namespace fpo::train {

struct EvaluateModelOptions {
  std::string model;               // the folder to evaluate; empty: model.path
  std::string prepared;            // folder of 'prepare'; empty: prepared next to `out`
  std::string reference = "auto";  // a .fpr file | online | auto
  std::string out;                 // evaluation.json; evaluation.pairs.jsonl is written beside it
  at::Device device = at::kCPU;
};

// DIR/evaluation.pairs.jsonl for DIR/evaluation.json; of a set with a name
// DIR/evaluation.pairs/NAME.jsonl.
std::string EvaluatedPairsFileOf(const std::string& out, const std::string& set = "");

// `fpo-train evaluate`: the job's metrics of a model on the job's evaluation pairs, as one JSON
// object with the names of metrics.jsonl and the digests they belong to.
absl::Status EvaluateModel(const JobConfig& job, const EvaluateModelOptions& options,
                           EventSink& events);

}  // namespace fpo::train
