#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/train_protocol.h"
#include "worker/core/process/line_splitter.h"

namespace fpo::worker {

// Reads the events of one rank (its descriptor 3). Lines that are not events or are longer than 64
// KiB are counted and skipped: a broken line must not end a run. Not thread-safe.
class EventReader {
 public:
  using Sink = std::function<void(const TrainEvent& event, const std::string& json)>;

  void Feed(absl::string_view bytes, const Sink& sink);
  int64_t malformed() const { return malformed_; }

 private:
  void Take(std::string line, bool continues, const Sink& sink);

  LineSplitter splitter_;
  bool inside_long_line_ = false;
  int64_t malformed_ = 0;
};

}  // namespace fpo::worker
