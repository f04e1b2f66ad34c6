#include "coordinator/core/store/line_codec.h"

#include "coordinator/core/store/stored_fields.h"
#include "coordinator/core/store/stored_list.h"

namespace fpo::coordinator {

std::string LineKey(const std::string& job_id, uint64_t cursor) {
  std::string key = job_id + "/";
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(cursor >> shift));
  return key;
}

uint64_t CursorOfLineKey(absl::string_view key) {
  uint64_t cursor = 0;
  for (char byte : key.substr(key.size() - 8)) cursor = cursor << 8 | static_cast<uint8_t>(byte);
  return cursor;
}

void Fields(auto& archive, MaybeConst<WorkerMode> auto& m) {
  archive.Number("kind", m.kind);
  archive.Required("note", m.note);
}
std::string EncodeWorkerMode(const WorkerMode& mode) { return EncodeObject(mode); }
absl::StatusOr<WorkerMode> DecodeWorkerMode(absl::string_view bytes) {
  return DecodeObject<WorkerMode>(bytes, "worker mode");
}

void Fields(auto& archive, MaybeConst<SubmittedRequest> auto& r) {
  archive.Required("request_id", r.request_id);
  archive.Required("digest", r.digest);
  archive.Required("job_id", r.job_id);
  archive("time", r.time);
}
std::string EncodeRequest(const SubmittedRequest& request) { return EncodeObject(request); }
absl::StatusOr<SubmittedRequest> DecodeRequest(absl::string_view bytes) {
  return DecodeObject<SubmittedRequest>(bytes, "request");
}

void Fields(auto& archive, MaybeConst<AuditEntry> auto& e) {
  archive(e.time, e.who, e.method, e.target, e.result, e.detail, e.request_id);
}
std::string EncodeAuditEntry(const AuditEntry& entry) { return EncodeList(entry); }
absl::StatusOr<AuditEntry> DecodeAuditEntry(absl::string_view bytes) {
  return DecodeList<AuditEntry>(bytes, "audit entry");
}

void Fields(auto& archive, MaybeConst<LogLine> auto& l) {
  archive(l.attempt, l.rank);
  archive.Or(l.stream, LineStream::kAgent);  // the text of an unknown stream is shown all the same
  archive(l.time_unix_ms, l.text);
}
std::string EncodeLogLine(const LogLine& line) { return EncodeList(line); }
absl::StatusOr<LogLine> DecodeLogLine(absl::string_view bytes) {
  return DecodeList<LogLine>(bytes, "log line");
}

void Fields(auto& archive, MaybeConst<EventLine> auto& l) { archive(l.attempt, l.rank, l.json); }
std::string EncodeEventLine(const EventLine& line) { return EncodeList(line); }
absl::StatusOr<EventLine> DecodeEventLine(absl::string_view bytes) {
  return DecodeList<EventLine>(bytes, "event");
}

void Fields(auto& archive, MaybeConst<SenderPosition> auto& p) {
  archive(p.next_event_seq, p.next_log_seq);
}
std::string EncodePosition(const SenderPosition& position) { return EncodeList(position); }
absl::StatusOr<SenderPosition> DecodePosition(absl::string_view bytes) {
  return DecodeList<SenderPosition>(bytes, "position");
}

void Fields(auto& archive, MaybeConst<LogStock> auto& s) {
  archive(s.bytes, s.oldest_unix_ms, s.gap_cursor, s.gap_lines, s.gap_bytes);
}
std::string EncodeLogStock(const LogStock& stock) { return EncodeList(stock); }
absl::StatusOr<LogStock> DecodeLogStock(absl::string_view bytes) {
  return DecodeList<LogStock>(bytes, "log stock");
}

}  // namespace fpo::coordinator
