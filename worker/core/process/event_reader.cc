#include "worker/core/process/event_reader.h"

#include <utility>

namespace fpo::worker {

void EventReader::Feed(absl::string_view bytes, const Sink& sink) {
  splitter_.Feed(bytes,
                 [&](std::string line, bool continues) { Take(std::move(line), continues, sink); });
}

void EventReader::Take(std::string line, bool continues, const Sink& sink) {
  const bool tail_of_long_line = std::exchange(inside_long_line_, continues);
  if (tail_of_long_line || line.empty()) return;
  if (continues) {
    ++malformed_;
    return;
  }
  const absl::StatusOr<TrainEvent> event = ParseEvent(line);
  if (event.ok()) {
    sink(*event, line);
  } else {
    ++malformed_;
  }
}

}  // namespace fpo::worker
