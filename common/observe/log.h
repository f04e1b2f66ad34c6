#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace fpo {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogFields = std::initializer_list<std::pair<absl::string_view, std::string>>;

// Names the program in every line and hides lines below `level`. Call once, at the start of main;
// without it lines of kInfo and above appear with an empty program.
void InitLog(absl::string_view program, LogLevel level);

// Writes one JSON object as one line on stderr: time (RFC 3339, UTC), level, program, message, then
// the fields as strings. Thread-safe; lines never mix.
void Log(LogLevel level, absl::string_view message, LogFields fields = {});

}  // namespace fpo
