#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fpo::ctl {

// A script that completes commands, options, choices, files and live job ids (queried for at most a
// second). `shell` is bash, zsh or fish; empty for another.
std::string CompletionScript(absl::string_view shell);

}  // namespace fpo::ctl
