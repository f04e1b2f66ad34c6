#pragma once

#include <string>

#include "absl/status/status.h"
#include "train/events/event_sink.h"

namespace fpo::train {

// `fpo-train export ADAPTER --merge`: a folder of PEFT's, of whatever program made it, and the base
// model as one Hugging Face folder, as PEFT's merge_and_unload computes it in float32; each weight
// is rounded once, to the base's own type (F16: float32). Ranks and alphas by pattern, rsLoRA, DoRA
// and adapters of some layers are merged too.
struct AdapterMerge {
  std::string adapter;  // has adapter_config.json
  std::string base;     // the model's folder; empty: the one that the adapter names
  std::string out;
};

bool IsPeftFolder(const std::string& folder);

// InvalidArgument: what ReadPeftConfig refuses; a tensor that is unexpected, of another shape than
// the model's, or not finite. NotFound: no base.
absl::Status MergeAdapter(const AdapterMerge& request, EventSink& events);

}  // namespace fpo::train
