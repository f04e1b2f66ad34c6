#pragma once

#include "absl/status/status.h"
#include "train/events/event_sink.h"
#include "train/judge/judge_options.h"

namespace fpo::train {

// `fpo-train judge`; a rating is RateAnswers. Of pairs and grades: asks the judge for what the
// store does not know yet, each pair in both orders, and writes what it says. The same call again
// asks for nothing and writes the same files. Both files are written at the end, whole; an `out`
// that is neither absent nor made by this command is refused before anything is asked. Errors of
// the inputs come first too; kStopped on request, with what was judged in the store.
absl::Status JudgeAnswers(const JudgeOptions& options, EventSink& events);

}  // namespace fpo::train
