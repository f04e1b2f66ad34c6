#include "train/events/progress_meter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"

namespace fpo::train {
namespace {

bool Counts(const WorkState& state) { return state.total > 0 || !state.unit.empty(); }

}  // namespace

ProgressMeter::ProgressMeter(EventSink& events, Options options)
    : events_(events),
      options_(std::move(options)),
      before_(ListenToWork(this)),
      phase_(options_.phase),
      last_(options_.clock()) {}

ProgressMeter::~ProgressMeter() { ListenToWork(before_); }

void ProgressMeter::Emit(TrainEvent event) {
  absl::MutexLock lock(&mutex_);
  last_ = options_.clock();
  events_.Emit(std::move(event));
}

void ProgressMeter::OnWork(const std::vector<WorkState>& pieces) {
  absl::MutexLock lock(&mutex_);
  for (const WorkState& piece : pieces) {
    if (!piece.phase.empty()) phase_ = piece.phase;
  }
  const absl::Time now = options_.clock();
  if (now - last_ < options_.interval) return;
  last_ = now;
  EventAmount amount;
  std::vector<std::string> words;
  size_t counted = 0;
  while (counted < pieces.size() && !Counts(pieces[counted])) ++counted;
  for (size_t i = 0; i < pieces.size() && i <= counted; ++i) words.push_back(pieces[i].what);
  if (counted < pieces.size()) {
    amount = {pieces[counted].done, pieces[counted].total, pieces[counted].unit};
    words.push_back(WorkText(pieces, counted + 1));
  }
  words.erase(std::remove(words.begin(), words.end(), ""), words.end());
  events_.Emit(ProgressEvent(phase_, amount, absl::StrJoin(words, ", ")));
}

}  // namespace fpo::train
