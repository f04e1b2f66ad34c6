#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/job/job_config.h"
#include "common/train_protocol.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// What a run ends with, as its ResultEvent says.
struct RunResult {
  EventMetrics metrics;  // final evaluation and totals
  EventTexts texts;

  bool operator==(const RunResult&) const = default;
};

// The facts of run.json.
struct RunRecord {
  std::string version;
  std::string job_id;       // assigned by the service; empty without one
  std::string device;       // cpu | cuda
  EventTexts device_texts;  // device_name, device_driver
  int64_t threads = 0;
  int64_t world = 1;
  std::string sharding = "none";  // ShardingName
  int64_t steps = 0;
  int64_t total_steps = 0;
  std::string stopped_early;  // by evaluate.patience: a sentence; else empty
  bool finished = false;
  absl::Time finished_at = absl::InfinitePast();
  std::map<std::string, double> timings;        // seconds by phase
  std::map<std::string, std::string> contents;  // ContentsOf
  RunResult result;
  std::vector<std::string> warnings;
};

std::string RunRecordJson(const RunRecord& record, const JobConfig& job, const RunInputs& inputs);

// Reads `result` of a run.json written by an earlier attempt. DataLoss when it is not one.
absl::StatusOr<RunResult> ReadRunResult(const std::string& path);

}  // namespace fpo::train
