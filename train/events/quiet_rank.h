#pragma once

#include <utility>

#include "train/events/event_sink.h"

namespace fpo::train {

// Suppresses the events of the other ranks but their errors: rank 0 reports for all.
class QuietRank final : public EventSink {
 public:
  explicit QuietRank(EventSink& events) : events_(events) {}
  void Emit(TrainEvent event) override {
    if (event.kind == EventKind::kError) events_.Emit(std::move(event));
  }

 private:
  EventSink& events_;
};

}  // namespace fpo::train
