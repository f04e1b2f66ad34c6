#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"

namespace fpo::train {

struct TrainSaeOptions {
  std::string prepared;  // folder of 'prepare'; empty: prepared in OUT/prepared
  // A folder for params.npz, config.json and metrics.jsonl; or FILE.npz, whose folder then gets the
  // other two.
  std::string out;
  at::Device device = at::kCPU;
};

// `fpo-train sae`: trains a JumpReLU SAE of sae_training.width features on the model's activations
// at sae[0].layer and sae[0].site. The sparsity coefficient is adapted until the number of active
// features per token is sae_training.target_l0. config.json and the result event have the target
// and the measured "l0"; "fvu" is the share of variance left unexplained. Both are measured on rows
// after the last step's. A result far from the target is a warning.
absl::Status TrainSae(const JobConfig& job, const TrainSaeOptions& options, EventSink& events);

// Warnings about an SAE with these measurements, one sentence each with a remedy: an `l0` above 1.5
// times or below two thirds of the target, or more than half of the variance unexplained.
std::vector<std::string> SaeWarnings(const SaeTrainingSection& settings, double l0, double fvu);

}  // namespace fpo::train
