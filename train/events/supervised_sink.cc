#include "train/events/supervised_sink.h"

#include <utility>

namespace fpo::train {
namespace {

// Records and the progress of scoring concern one batch each; the agent aggregates them.
bool IsForTheLog(const TrainEvent& event) {
  if (event.kind == EventKind::kProgress && event.phase == "reference" &&
      event.unit == "responses") {
    return false;
  }
  return event.kind == EventKind::kStep || event.kind == EventKind::kProgress ||
         event.kind == EventKind::kPhase || event.kind == EventKind::kEvaluation ||
         event.kind == EventKind::kCheckpoint || event.kind == EventKind::kResult;
}

}  // namespace

void SupervisedSink::Emit(TrainEvent event) {
  if (IsForTheLog(event)) log_.Emit(event);
  events_->Emit(std::move(event));
}

}  // namespace fpo::train
