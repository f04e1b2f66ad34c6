#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/core/job.h"
#include "server/core/job_store.h"

namespace fpo::coordinator {

// Stored bytes of the coordinator's values: JSON with one-word names. A reader ignores unknown
// names and gives absent ones their default, so a program of the version before can read them.
// DataLoss when the bytes are not such a value.

// Everything but config_json, which is stored beside it, once.
std::string EncodeJob(const Job& job);
absl::StatusOr<Job> DecodeJob(absl::string_view bytes);

std::string EncodeWorkerMode(const WorkerMode& mode);
absl::StatusOr<WorkerMode> DecodeWorkerMode(absl::string_view bytes);

std::string EncodeRequest(const SubmittedRequest& request);
absl::StatusOr<SubmittedRequest> DecodeRequest(absl::string_view bytes);

// The cursor is the key's, not the value's.
std::string EncodeLogLine(const LogLine& line);
absl::StatusOr<LogLine> DecodeLogLine(absl::string_view bytes);
std::string EncodeEventLine(const EventLine& line);
absl::StatusOr<EventLine> DecodeEventLine(absl::string_view bytes);

std::string EncodePosition(const SenderPosition& position);
absl::StatusOr<SenderPosition> DecodePosition(absl::string_view bytes);

std::string EncodeLogStock(const LogStock& stock);
absl::StatusOr<LogStock> DecodeLogStock(absl::string_view bytes);

}  // namespace fpo::coordinator
