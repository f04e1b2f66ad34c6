#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "train/events/event_sink.h"

namespace fpo::train {

struct CalibrateOptions {
  std::vector<std::string> judged;  // what the judge said, of `fpo-train judge`
  std::vector<std::string> truth;   // what people, or a judge that stands for them, said
  std::string evaluated;            // what the judge said of the model in question; empty: none
  std::string out;                  // JSON
  int64_t bootstrap = 1000;         // rounds
  int64_t seed = 42;
};

// `fpo-train calibrate`: how far the judge agrees with the truth on the pairs that both have judged
// (agreement.h), and with `evaluated` its win rate corrected for the judge's errors, with an
// interval that holds them (corrected_rate.h). Pairs are the same by instruction and both answers.
// InvalidArgument, naming the file: no annotations, no pair in common, files of two judges. `out`
// is written whole, and must be absent or of this command.
absl::Status CalibrateJudge(const CalibrateOptions& options, EventSink& events);

}  // namespace fpo::train
