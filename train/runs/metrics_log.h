#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_descriptor.h"
#include "train/objective/set_evaluations.h"
#include "train/report/tensorboard_log.h"

namespace fpo::train {

// OUT/metrics.jsonl: one JSON object per line, each flushed when written; and the same for
// TensorBoard (TensorBoardLog). Not thread-safe.
class MetricsLog {
 public:
  // Opens the file for appending. Lines of steps after `last_step` and a torn last line are dropped
  // first, so that a resumed run does not repeat a step; -1 starts empty.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(const std::string& path,
                                                          int64_t last_step);
  // Which evaluation a line is of.
  struct EvaluationPlace {
    int64_t step = 0;
    double epoch = 0;
    int64_t nth = 1;  // of the step
  };
  // Whether the kept lines include it: a run killed at its very end evaluates again for its result,
  // but must not log it twice.
  bool HasEvaluation(const EvaluationPlace& place) const {
    return place.step == evaluated_step_ && place.nth <= evaluations_;
  }

  // {"step":..,"epoch":..,<names in order>}. A value that is not finite is written as null.
  absl::Status Append(int64_t step, double epoch, const std::map<std::string, double>& values);
  // The same for an evaluation, unless HasEvaluation, and its evaluations/step-N.jsonl
  // (EvaluationFileOf), of each set, beside the file.
  absl::Status AppendEvaluation(const EvaluationPlace& place, const SetEvaluations& evaluation);

 private:
  MetricsLog(std::string path, FileDescriptor file, std::unique_ptr<TensorBoardLog> tensorboard)
      : path_(std::move(path)), file_(std::move(file)), tensorboard_(std::move(tensorboard)) {}
  absl::Status Write(const std::string& line, int64_t step,
                     const std::map<std::string, double>& values);
  std::string path_;
  const FileDescriptor file_;
  int64_t evaluated_step_ = -1;  // the last one of the kept lines that has evaluations
  int64_t evaluations_ = 0;      // and how many
  const std::unique_ptr<TensorBoardLog> tensorboard_;
};

}  // namespace fpo::train
