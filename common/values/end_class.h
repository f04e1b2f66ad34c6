#pragma once

#include "common/values/enum_names.h"

namespace fpo {

// How a process, phase or attempt ended, as far as it decides what happens next.
enum class EndClass {
  kDone,
  kInvalid,         // the job or its data; retrying is pointless
  kMemory,          // out of memory
  kProgram,         // a crash or a bug; counted against the job's restarts
  kInfrastructure,  // the host, the network or the storage; not counted
  kAsked,           // stopped on request
};

template <>
struct EnumNames<EndClass> {
  static constexpr absl::string_view kNames[] = {"done",    "invalid",        "memory",
                                                 "program", "infrastructure", "asked"};
};

}  // namespace fpo
