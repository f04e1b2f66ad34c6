#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::train {

// OUT/metrics.jsonl: one JSON object a line, each flushed when written. Not thread-safe.
class MetricsLog {
 public:
  // Opens the file for appending. Lines of steps after `last_step` and a torn last line are dropped
  // first, so that a resumed run does not write a step twice; -1 starts empty.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(const std::string& path,
                                                          int64_t last_step);
  ~MetricsLog();

  // {"step":..,"epoch":..,<names in order>}. A value that is not finite is written as null.
  absl::Status Append(int64_t step, double epoch, const std::map<std::string, double>& values);

 private:
  MetricsLog(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::string path_;
  int descriptor_;
};

}  // namespace fpo::train
