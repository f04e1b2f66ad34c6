#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/job/job_config.h"

namespace fpo::train {

// README.md of an exported model: what it was trained from, with which method and settings, on what
// data, with which result, and how to use it. Digests identify inputs; the paths of this machine
// are not told, only the names of files and folders.
struct ModelCardFacts {
  int64_t step = 0;
  bool final_step = true;  // with the run's result; a checkpoint has none
  bool has_turns = false;  // the folder has a chat template
};
// `run_json`: the run's run.json; facts that it lacks are left out.
std::string ModelCard(const JobConfig& job, absl::string_view run_json,
                      const ModelCardFacts& facts);

}  // namespace fpo::train
