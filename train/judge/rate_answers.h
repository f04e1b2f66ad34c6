#pragma once

#include "absl/status/status.h"
#include "train/events/event_sink.h"
#include "train/judge/judge_options.h"

namespace fpo::train {

// `fpo-train judge --kind rating`: asks the judge for a rating from 1 to 10 of each answer of
// `outputs`, turn by turn, as MT-Bench does; what the store knows is not asked for again. `out`
// gets a row a rating in the form of FastChat's model_judgment, its score null where the judge gave
// none; OUT.summary.json the averages, by turn and by category. Errors and stops as JudgeAnswers.
absl::Status RateAnswers(const JudgeOptions& options, EventSink& events);

}  // namespace fpo::train
