#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// Stored bytes of what lies beside jobs (stored_fields.h, stored_list.h). DataLoss when the bytes
// are not such a value.

std::string EncodeWorkerMode(const WorkerMode& mode);
absl::StatusOr<WorkerMode> DecodeWorkerMode(absl::string_view bytes);

std::string EncodeRequest(const SubmittedRequest& request);
absl::StatusOr<SubmittedRequest> DecodeRequest(absl::string_view bytes);

// The cursor of the next three is the key's, not the value's.
std::string EncodeAuditEntry(const AuditEntry& entry);
absl::StatusOr<AuditEntry> DecodeAuditEntry(absl::string_view bytes);
std::string EncodeLogLine(const LogLine& line);
absl::StatusOr<LogLine> DecodeLogLine(absl::string_view bytes);
std::string EncodeEventLine(const EventLine& line);
absl::StatusOr<EventLine> DecodeEventLine(absl::string_view bytes);

// The key under which a job's line lies: keys sort as cursors do.
std::string LineKey(const std::string& job_id, uint64_t cursor);
uint64_t CursorOfLineKey(absl::string_view key);  // of a key that LineKey made

std::string EncodePosition(const SenderPosition& position);
absl::StatusOr<SenderPosition> DecodePosition(absl::string_view bytes);

std::string EncodeLogStock(const LogStock& stock);
absl::StatusOr<LogStock> DecodeLogStock(absl::string_view bytes);

}  // namespace fpo::coordinator
