#pragma once

#include <string>

#include "absl/status/status.h"
#include "train/events/event_sink.h"

namespace fpo::train {

// `fpo-train export`: a checkpoint as a Hugging Face folder, as the run would have written it into
// OUT/model at that step.
struct CheckpointExport {
  std::string checkpoint;  // RUN/checkpoints/step-N, or with `merge` a folder of PEFT's
  std::string out;         // must not exist, or be empty
  std::string job;         // the run's job file; empty: RUN/job.yaml
  std::string model;       // the folder the run started from; empty: model.path of the job
  bool merge = false;      // of a run with an adapter: the model, not the adapter in PEFT's form
};

// InvalidArgument: no checkpoint, a model folder with other weights than the run's. NotFound: job
// file or model folder. DataLoss: a damaged checkpoint. AlreadyExists: `out` has files.
absl::Status ExportCheckpoint(const CheckpointExport& request, EventSink& events);

}  // namespace fpo::train
