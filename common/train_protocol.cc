#include "common/train_protocol.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"

namespace fpo {
namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kLineBytesMax = size_t{1} << 20;

// Members that a kind always carries, so that readers of the raw line find a zero written out.
bool Carries(const TrainEvent& event, absl::string_view member) {
  if (member == "done") return event.kind == "progress" || event.done != 0;
  if (member == "total") return event.kind == "progress" || event.total != 0;
  if (member == "step") {
    return event.kind == "step" || event.kind == "evaluation" || event.kind == "checkpoint" ||
           event.step != 0;
  }
  if (member == "count") return event.kind == "records" || event.count != 0;
  return false;
}

absl::StatusOr<JsonValue> ParseLine(absl::string_view line) {
  if (line.size() > kLineBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a protocol line of ", line.size(), " bytes, the limit is ", kLineBytesMax));
  }
  FPO_ASSIGN_OR_RETURN(JsonValue object, ParseJson(line));
  if (object.type() != JsonValue::Type::kObject) {
    return absl::InvalidArgumentError(
        absl::StrCat("a protocol line must be an object, got ", object.TypeName()));
  }
  int64_t version = 0;
  FPO_RETURN_IF_ERROR(ReadMember(object, "v", &version));
  if (version != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat("protocol version ", version, ", this program ",
                                                   "speaks ", kVersion,
                                                   ": use fpo-train and fpo-worker of one build"));
  }
  return object;
}

absl::Status RequireKind(const std::string& kind) {
  if (kind.empty()) return absl::InvalidArgumentError("a protocol line without \"kind\"");
  return absl::OkStatus();
}

absl::Status ReadMetrics(const JsonValue& object, std::map<std::string, double>* metrics) {
  const JsonValue* member = object.Find("metrics");
  if (member == nullptr) return absl::OkStatus();
  if (member->type() != JsonValue::Type::kObject) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"metrics\": expected an object, got ", member->TypeName()));
  }
  for (const auto& [name, value] : member->Members()) {
    if (value.IsNull()) {  // JSON has no word for NaN
      (*metrics)[name] = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    FPO_RETURN_IF_ERROR(ReadMember(*member, name, &(*metrics)[name]));
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeEvent(const TrainEvent& event) {
  JsonObject line;
  line.Add("v", kVersion);
  line.Add("seq", event.seq);
  line.Add("t", event.time);
  line.Add("kind", event.kind);
  if (!event.phase.empty()) line.Add("phase", event.phase);
  if (Carries(event, "done")) line.Add("done", event.done);
  if (Carries(event, "total")) line.Add("total", event.total);
  if (!event.unit.empty()) line.Add("unit", event.unit);
  if (!event.activity.empty()) line.Add("activity", event.activity);
  if (Carries(event, "step")) line.Add("step", event.step);
  if (!event.metrics.empty()) {
    JsonObject metrics;
    for (const auto& [name, value] : event.metrics) metrics.Add(name, value);
    line.AddRaw("metrics", metrics.Text());
  }
  if (!event.file.empty()) line.Add("file", event.file);
  if (Carries(event, "count")) line.Add("count", event.count);
  if (!event.digest.empty()) line.Add("digest", event.digest);
  if (!event.error_class.empty()) line.Add("error_class", event.error_class);
  if (!event.message.empty()) line.Add("message", event.message);
  return line.Text();
}

absl::StatusOr<TrainEvent> ParseEvent(absl::string_view line) {
  FPO_ASSIGN_OR_RETURN(const JsonValue object, ParseLine(line));
  TrainEvent event;
  int64_t seq = 0;
  FPO_RETURN_IF_ERROR(ReadMember(object, "kind", &event.kind));
  FPO_RETURN_IF_ERROR(RequireKind(event.kind));
  FPO_RETURN_IF_ERROR(ReadMember(object, "seq", &seq));
  if (seq < 0) return absl::InvalidArgumentError(absl::StrCat("\"seq\": ", seq, " is negative"));
  event.seq = static_cast<uint64_t>(seq);
  FPO_RETURN_IF_ERROR(ReadMember(object, "t", &event.time));
  FPO_RETURN_IF_ERROR(ReadMember(object, "phase", &event.phase));
  FPO_RETURN_IF_ERROR(ReadMember(object, "done", &event.done));
  FPO_RETURN_IF_ERROR(ReadMember(object, "total", &event.total));
  FPO_RETURN_IF_ERROR(ReadMember(object, "unit", &event.unit));
  FPO_RETURN_IF_ERROR(ReadMember(object, "activity", &event.activity));
  FPO_RETURN_IF_ERROR(ReadMember(object, "step", &event.step));
  FPO_RETURN_IF_ERROR(ReadMetrics(object, &event.metrics));
  FPO_RETURN_IF_ERROR(ReadMember(object, "file", &event.file));
  FPO_RETURN_IF_ERROR(ReadMember(object, "digest", &event.digest));
  FPO_RETURN_IF_ERROR(ReadMember(object, "count", &event.count));
  FPO_RETURN_IF_ERROR(ReadMember(object, "error_class", &event.error_class));
  FPO_RETURN_IF_ERROR(ReadMember(object, "message", &event.message));
  return event;
}

std::string EncodeCommand(const TrainCommand& command) {
  JsonObject line;
  line.Add("v", kVersion);
  line.Add("kind", command.kind);
  if (!command.ordinals.empty()) {
    std::vector<std::string> ordinals;
    for (const int64_t ordinal : command.ordinals) ordinals.push_back(std::to_string(ordinal));
    line.AddRaw("ordinals", JsonArray(ordinals));
  }
  if (!command.file.empty()) line.Add("file", command.file);
  return line.Text();
}

absl::StatusOr<TrainCommand> ParseCommand(absl::string_view line) {
  FPO_ASSIGN_OR_RETURN(const JsonValue object, ParseLine(line));
  TrainCommand command;
  FPO_RETURN_IF_ERROR(ReadMember(object, "kind", &command.kind));
  FPO_RETURN_IF_ERROR(RequireKind(command.kind));
  FPO_RETURN_IF_ERROR(ReadMember(object, "file", &command.file));
  const JsonValue* ordinals = object.Find("ordinals");
  if (ordinals == nullptr) return command;
  if (ordinals->type() != JsonValue::Type::kArray) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"ordinals\": expected an array, got ", ordinals->TypeName()));
  }
  for (const JsonValue& ordinal : ordinals->Items()) {
    if (ordinal.type() != JsonValue::Type::kInteger || ordinal.AsInteger() < 0) {
      return absl::InvalidArgumentError("\"ordinals\": every one must be an integer from 0");
    }
    command.ordinals.push_back(ordinal.AsInteger());
  }
  return command;
}

}  // namespace fpo
