#include "common/job/sections/resources_fields.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fpo {

JobEntry ResourcesEntry(ResourcesSection* s) {
  return {JobEntry::Kind::kSection,
          "resources",
          "what the job needs",
          {{"slots", &s->slots, "GPUs, or CPU shares; all or none are reserved", {}, 1, 4096},
           {.name = "min_slots",
            .slot = &s->min_slots,
            .doc = "after the loss of a worker it goes on with as few as these; 0: with slots",
            .min = 0,
            .max = 4096,
            .unwritten = "0"},
           {"queue", &s->queue, "queue"},
           {"priority", &s->priority, "higher runs first", {}, 0, 1000},
           {"require", &s->require, "labels that each worker must have, as name=value"}}};
}

std::vector<JobProblem> ResourcesProblems(const JobConfig& config) {
  const ResourcesSection& asked = config.resources;
  std::vector<JobProblem> problems;
  const auto complain = [&](const char* key, std::string message) {
    problems.push_back({0, absl::StrCat("resources.", key), std::move(message)});
  };
  if (asked.queue.empty()) complain("queue", "must not be empty");
  if (asked.min_slots > asked.slots) {
    complain("min_slots",
             absl::StrCat(asked.min_slots, " is more than resources.slots, ", asked.slots));
  } else if (asked.min_slots > 0 && config.kind != "train") {
    // Only training goes on from a checkpoint with another number of ranks.
    complain("min_slots", absl::StrCat("is for kind train, not ", config.kind));
  }
  for (const std::string& label : asked.require) {
    const size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == label.size()) {
      complain("require", absl::StrCat("\"", label, "\" must be name=value, e.g. gpu=h100"));
    }
  }
  return problems;
}

}  // namespace fpo
