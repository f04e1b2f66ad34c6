#pragma once

#include "common/values/enum_names.h"

namespace fpo {

// How a process, a phase or an attempt ended, as far as it matters for what happens next.
enum class EndClass {
  kDone,
  kInvalid,         // the job or its data; trying again is of no use
  kMemory,          // out of memory
  kProgram,         // a crash or a bug; counted against the job's restarts
  kInfrastructure,  // the host, the network or the storage; free of charge
  kAsked,           // stopped on request
};

template <>
struct EnumNames<EndClass> {
  static constexpr absl::string_view kNames[] = {"done",    "invalid",        "memory",
                                                 "program", "infrastructure", "asked"};
};

}  // namespace fpo
