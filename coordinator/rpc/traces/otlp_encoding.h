#pragma once

#include <map>
#include <string>

#include "coordinator/core/traces/span.h"

namespace fpo::coordinator {

// A trace as the body of OTLP's POST /v1/traces, in protobuf. `resource` says which program tells.
std::string EncodeTrace(const Trace& trace, const std::map<std::string, std::string>& resource,
                        const std::string& version);

// What a collector that took the body says it left out; empty: nothing. A body that is none says
// nothing.
std::string RejectedSpans(const std::string& response_body);

}  // namespace fpo::coordinator
