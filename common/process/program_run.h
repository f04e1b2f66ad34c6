#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fpo {

// A run of another program, without a shell.
struct ProgramRun {
  std::vector<std::string> argv;  // the first is looked for on PATH unless it has a slash
  std::string input = {};         // its standard input
  absl::Duration answer_time = absl::Seconds(30);
  size_t output_bytes_max = size_t{1} << 20;                // of each output
  std::function<bool()> is_stopped = [] { return false; };  // asked several times a second
};

struct ProgramEnd {
  int exit_code = 0;  // 128 and the number of the signal that killed it
  std::string out;
  std::string err;
};

// Runs it to its end. Processes that it leaves behind do not count, even if they hold its outputs.
// NotFound, PermissionDenied: there is no such program. DeadlineExceeded, ResourceExhausted,
// Cancelled: it was killed, with all of its process group.
absl::StatusOr<ProgramEnd> RunProgram(const ProgramRun& run);

using ProgramRunner = std::function<absl::StatusOr<ProgramEnd>(const ProgramRun&)>;

}  // namespace fpo
