#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/job_config.h"
#include "worker/trainer/train/event_sink.h"

namespace fpo::train {

struct TrainSaeOptions {
  std::string prepared;  // what 'prepare' wrote; empty: prepared in OUT/prepared
  // A folder for params.npz, config.json and metrics.jsonl; or FILE.npz, whose folder then gets the
  // other two.
  std::string out;
  at::Device device = at::kCPU;
};

// `fpo-train sae`: trains a JumpReLU SAE of sae_training.width features on the model's activations
// at sae[0].layer and sae[0].site. The sparsity coefficient is adapted until the number of active
// features a token is sae_training.target_l0. The result event has "l0" and "fvu" on held-out rows.
absl::Status TrainSae(const JobConfig& job, const TrainSaeOptions& options, EventSink& events);

}  // namespace fpo::train
