#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/files/file_descriptor.h"

namespace fpo::train {

// The scalars of a run as TensorBoard reads them: OUT/tensorboard/events.out.tfevents.*, a file for
// each attempt. A record is flushed when it is written. Not thread-safe.
class TensorBoardLog {
 public:
  // Begins a file in `folder`, which is made. What earlier files hold of `first_step` and later
  // steps is void for TensorBoard: a resumed run repeats them.
  static absl::StatusOr<std::unique_ptr<TensorBoardLog>> Open(const std::string& folder,
                                                              int64_t first_step);

  // Values by their names in metrics.jsonl; "eval_loss" becomes "eval/loss", "loss" "train/loss".
  // Values that are not finite are kept as they are: TensorBoard marks them.
  absl::Status Append(int64_t step, const std::map<std::string, double>& values);

 private:
  TensorBoardLog(std::string path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}
  std::string path_;
  const FileDescriptor file_;
};

// One record of an event file: length, its checksum, data, its checksum (CRC-32C, masked, as
// TFRecord has them).
std::string TensorBoardRecord(absl::string_view data);

// tensorflow.Event, encoded: with the file's version; with a session that starts at `step`; with a
// scalar for each value.
std::string VersionEvent(absl::Time time);
std::string SessionEvent(absl::Time time, int64_t step);
std::string ScalarsEvent(absl::Time time, int64_t step,
                         const std::map<std::string, double>& values);

}  // namespace fpo::train
