#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/values/line.h"
#include "common/values/report.h"
#include "common/values/worker_command.h"
#include "common/values/worker_hello.h"
#include "common/wire/job_wire.h"
#include "proto/fpo/v1/worker.pb.h"

// Values of common/values and the messages of worker.proto.
namespace fpo {

fpo::v1::AttemptRef ToProto(const AttemptRef& ref);
AttemptRef FromProto(const fpo::v1::AttemptRef& proto);

// From the worker.
fpo::v1::Hello ToProto(const WorkerHello& hello);
WorkerHello FromProto(const fpo::v1::Hello& proto);
fpo::v1::AttemptReport ToProto(const Report& report);
// InvalidArgument for an unknown status. Texts that would be stored are truncated.
absl::StatusOr<Report> FromProto(const fpo::v1::AttemptReport& proto);
fpo::v1::EventBatch ToProto(const EventBatch& batch);
EventBatch FromProto(const fpo::v1::EventBatch& proto);
fpo::v1::LogBatch ToProto(const LogBatch& batch);
LogBatch FromProto(const fpo::v1::LogBatch& proto);

// To the worker.
fpo::v1::CoordinatorMessage ToProto(const WorkerCommand& command);
// nullopt for a command of a newer coordinator.
std::optional<WorkerCommand> FromProto(const fpo::v1::CoordinatorMessage& proto);

}  // namespace fpo
