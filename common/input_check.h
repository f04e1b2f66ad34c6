#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/job/job_file.h"

namespace fpo {

// What a run would say about a job's model folder, template and data, from their first rows. The
// trainer finds it (fpo-train prepare --check --json), fpoctl shows it.
struct InputCheck {
  std::vector<JobProblem> problems;   // why a run would stop; without lines
  std::vector<std::string> warnings;  // as of a run
  int64_t rows = 0;                   // read
};

// One JSON object, without line feeds, and back. InvalidArgument when the text is none.
std::string InputCheckJson(const InputCheck& check);
absl::StatusOr<InputCheck> ParseInputCheck(absl::string_view json);

}  // namespace fpo
