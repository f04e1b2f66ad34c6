#include "train/events/supervised_sink.h"

#include <utility>

namespace fpo::train {
namespace {

// Records, and the progress of scoring, are of one batch each; the agent sums them up.
bool IsForTheLog(const TrainEvent& event) {
  if (event.kind == "progress" && event.phase == "reference" && event.unit == "responses") {
    return false;
  }
  return event.kind == "step" || event.kind == "progress" || event.kind == "phase" ||
         event.kind == "evaluation" || event.kind == "checkpoint" || event.kind == "result";
}

}  // namespace

void SupervisedSink::Emit(TrainEvent event) {
  if (IsForTheLog(event)) log_.Emit(event);
  events_->Emit(std::move(event));
}

}  // namespace fpo::train
