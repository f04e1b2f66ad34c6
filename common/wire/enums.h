#pragma once

#include <optional>

#include "common/values/end_class.h"
#include "common/values/job_kind.h"
#include "common/values/job_state.h"
#include "common/values/line.h"
#include "common/values/phase.h"
#include "common/values/report.h"
#include "common/values/worker_device.h"
#include "common/values/worker_state.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "proto/fpo/v1/job.pb.h"
#include "proto/fpo/v1/worker.pb.h"

// Enums of common/values and those of the messages: the same values in the same order, after an
// UNSPECIFIED that means none. To add one, add its line to the list at the end.
namespace fpo {

template <typename Enum>
struct WireEnum;  // ::Proto, the enum of the messages
template <typename Proto>
struct ValueEnum;  // ::Value, the enum of common/values

template <NamedEnum Enum>
constexpr typename WireEnum<Enum>::Proto ToProto(Enum value) {
  return static_cast<typename WireEnum<Enum>::Proto>(static_cast<int>(value) + 1);
}

template <NamedEnum Enum>
constexpr typename WireEnum<Enum>::Proto ToProto(const std::optional<Enum>& value) {
  return value ? ToProto(*value) : static_cast<typename WireEnum<Enum>::Proto>(0);
}

// nullopt for UNSPECIFIED and for values of a newer program.
template <typename Proto, typename Value = typename ValueEnum<Proto>::Value>
constexpr std::optional<Value> FromProto(Proto proto) {
  const int number = static_cast<int>(proto);
  if (number < 1 || number > static_cast<int>(kEnumSize<Value>)) return std::nullopt;
  return static_cast<Value>(number - 1);
}

// Its text in JSON and for people; "" for none.
template <typename Proto, typename Value = typename ValueEnum<Proto>::Value>
constexpr absl::string_view TextOf(Proto proto) {
  return Name(FromProto(proto));
}

#define FPO_WIRE_ENUM(value, proto)  \
  template <>                        \
  struct WireEnum<value> {           \
    using Proto = fpo::v1::proto;    \
  };                                 \
  template <>                        \
  struct ValueEnum<fpo::v1::proto> { \
    using Value = value;             \
  }

FPO_WIRE_ENUM(DeviceKind, DeviceKind);
FPO_WIRE_ENUM(EndClass, EndClass);
FPO_WIRE_ENUM(JobKind, JobKind);
FPO_WIRE_ENUM(JobState, JobState);
FPO_WIRE_ENUM(LineStream, LineStream);
FPO_WIRE_ENUM(Phase, Phase);
FPO_WIRE_ENUM(ReportStatus, AttemptReport_Status);
FPO_WIRE_ENUM(WorkerState, WorkerState);

#undef FPO_WIRE_ENUM

}  // namespace fpo
