#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fpo::ctl {

// Runs `trainer WORDS...` with `input` on its standard input and returns what it writes to its
// standard output, without blanks around it; its standard error is not read. Unavailable, with the
// reason, when it does not start, says too much, or does not end within `timeout`, after which it
// is killed.
absl::StatusOr<std::string> CallTrainer(const std::string& trainer,
                                        const std::vector<std::string>& words,
                                        absl::string_view input, absl::Duration timeout);

}  // namespace fpo::ctl
