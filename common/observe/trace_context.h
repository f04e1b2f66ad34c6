#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace fpo {

// Where something belongs in a distributed trace, as W3C Trace Context has it.
struct TraceContext {
  std::string trace_id = {};  // 32 hex digits; empty: in no trace
  std::string span_id = {};   // 16 hex digits, of the span above; empty: none
  bool sampled = true;        // false: whoever began the trace does not record it

  bool operator==(const TraceContext&) const = default;
};

// Of a `traceparent`: "00-TRACE-SPAN-FLAGS". Nothing for a malformed one, which is to be ignored.
std::optional<TraceContext> ParseTraceparent(absl::string_view text);
// Of a context that has both ids.
std::string Traceparent(const TraceContext& context);

}  // namespace fpo
