#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/events/event_sink.h"

namespace fpo::train {

struct ScoreDataOptions {
  std::string model;
  std::optional<SaeSection> sae;  // without one: log-probs only
  DataSection data;               // `train` lists the files; format, template and limits apply
  std::string dtype = "float32";
  std::string features = "all";  // all | top:M
  std::string out;  // FILE.jsonl: one line per pair, in input order; FILE.fpr: a record file
  int64_t tokens_per_batch = 4096;
  at::Device device = at::kCPU;
};

// `fpo-train score` by hand: a model's scores for the responses of some files.
absl::Status ScoreData(const ScoreDataOptions& options, EventSink& events);

}  // namespace fpo::train
