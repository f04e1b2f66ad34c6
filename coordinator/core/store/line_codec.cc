#include "coordinator/core/store/line_codec.h"

#include <nlohmann/json.hpp>

#include "coordinator/core/store/json_codec.h"

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

std::string EncodeWorkerMode(const WorkerMode& mode) {
  return Dump(Json{{"kind", static_cast<int>(mode.kind)}, {"note", mode.note}});
}
absl::StatusOr<WorkerMode> DecodeWorkerMode(absl::string_view bytes) {
  return Parse(bytes, "worker mode", [](const Json& json) {
    return WorkerMode{static_cast<WorkerMode::Kind>(json.at("kind").get<int>()),
                      json.at("note").get<std::string>()};
  });
}

std::string EncodeRequest(const SubmittedRequest& r) {
  return Dump(Json{{"request_id", r.request_id},
                   {"digest", r.digest},
                   {"job_id", r.job_id},
                   {"time", FromTime(r.time)}});
}
absl::StatusOr<SubmittedRequest> DecodeRequest(absl::string_view bytes) {
  return Parse(bytes, "request", [](const Json& json) {
    SubmittedRequest r;
    json.at("request_id").get_to(r.request_id);
    json.at("digest").get_to(r.digest);
    json.at("job_id").get_to(r.job_id);
    r.time = ToTime(At(json, "time"));
    return r;
  });
}

std::string EncodeAuditEntry(const AuditEntry& e) {
  return Dump(
      Json::array({FromTime(e.time), e.who, e.method, e.target, e.result, e.detail, e.request_id}));
}
absl::StatusOr<AuditEntry> DecodeAuditEntry(absl::string_view bytes) {
  return Parse(bytes, "audit entry", [](const Json& json) {
    const auto text = [&json](size_t i) { return json.at(i).get<std::string>(); };
    return AuditEntry{0, ToTime(json.at(0)), text(1), text(2), text(3), text(4), text(5), text(6)};
  });
}

// A stream of no known name is somebody's words all the same.
LineStream ToStream(const Json& json) {
  return FromName<LineStream>(json.get_ref<const std::string&>()).value_or(LineStream::kAgent);
}
std::string EncodeLogLine(const LogLine& l) {
  return Dump(
      Json::array({l.attempt, l.rank, std::string(Name(l.stream)), l.time_unix_ms, l.text}));
}
absl::StatusOr<LogLine> DecodeLogLine(absl::string_view bytes) {
  return Parse(bytes, "log line", [](const Json& json) {
    return LogLine{0,
                   json.at(0).get<int32_t>(),
                   json.at(1).get<int32_t>(),
                   ToStream(json.at(2)),
                   json.at(3).get<int64_t>(),
                   json.at(4).get<std::string>()};
  });
}

std::string EncodeEventLine(const EventLine& l) {
  return Dump(Json::array({l.attempt, l.rank, l.json}));
}
absl::StatusOr<EventLine> DecodeEventLine(absl::string_view bytes) {
  return Parse(bytes, "event", [](const Json& json) {
    return EventLine{0, json.at(0).get<int32_t>(), json.at(1).get<int32_t>(),
                     json.at(2).get<std::string>()};
  });
}

std::string EncodePosition(const SenderPosition& p) {
  return Dump(Json::array({p.next_event_seq, p.next_log_seq}));
}
absl::StatusOr<SenderPosition> DecodePosition(absl::string_view bytes) {
  return Parse(bytes, "position", [](const Json& json) {
    return SenderPosition{json.at(0).get<uint64_t>(), json.at(1).get<uint64_t>()};
  });
}

std::string EncodeLogStock(const LogStock& s) {
  return Dump(Json::array({s.bytes, s.oldest_unix_ms, s.gap_cursor, s.gap_lines, s.gap_bytes}));
}
absl::StatusOr<LogStock> DecodeLogStock(absl::string_view bytes) {
  return Parse(bytes, "log stock", [](const Json& json) {
    return LogStock{json.at(0).get<int64_t>(), json.at(1).get<int64_t>(),
                    json.at(2).get<uint64_t>(), json.at(3).get<int64_t>(),
                    json.at(4).get<int64_t>()};
  });
}

}  // namespace fpo::coordinator
