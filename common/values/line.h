#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/values/attempt_ref.h"
#include "common/values/enum_names.h"

namespace fpo {

enum class LineStream {
  kStdout,
  kStderr,
  kAgent,  // messages of the worker itself
  kGap,    // replaces earlier lines that were removed
};

template <>
struct EnumNames<LineStream> {
  static constexpr absl::string_view kNames[] = {"stdout", "stderr", "agent", "gap"};
};

// One line of a rank or of the worker: a log line, or an event (then `text` is its JSON).
struct Line {
  int32_t rank = 0;
  std::optional<LineStream> stream = {};  // none: an event
  int64_t time_unix_ms = 0;
  std::string text = {};  // at most 64 KiB

  bool operator==(const Line&) const = default;
};

// Lines of one attempt, numbered by its worker from `first_seq` in steps of one without gaps.
struct LineBatch {
  AttemptRef attempt;
  uint64_t first_seq = 0;
  std::vector<Line> lines = {};

  uint64_t end_seq() const { return first_seq + lines.size(); }
};
struct EventBatch : LineBatch {};
struct LogBatch : LineBatch {};

}  // namespace fpo
