#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace fpo::coordinator {

using SpanValue = std::variant<std::string, int64_t, double>;

// A piece of a job's time, as tracing systems draw it.
struct Span {
  std::string span_id;    // 16 hex digits
  std::string parent_id;  // of the span above; empty: none
  std::string name;
  absl::Time start;
  absl::Time end;
  std::map<std::string, SpanValue> attributes = {};
  std::optional<std::string> error = {};  // why it failed; none: it did not
};

// The spans of one trace that one program has to tell.
struct Trace {
  std::string trace_id;  // 32 hex digits
  std::vector<Span> spans;
};

}  // namespace fpo::coordinator
