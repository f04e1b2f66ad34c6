#include "common/train_protocol.h"

#include <array>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kLineBytesMax = size_t{1} << 20;

constexpr std::array<std::pair<EventKind, const char*>, 11> kEventKindNames = {{
    {EventKind::kHello, "hello"},
    {EventKind::kPhase, "phase"},
    {EventKind::kProgress, "progress"},
    {EventKind::kStep, "step"},
    {EventKind::kEvaluation, "evaluation"},
    {EventKind::kRecords, "records"},
    {EventKind::kCheckpoint, "checkpoint"},
    {EventKind::kCheckpointBad, "checkpoint_bad"},
    {EventKind::kWarning, "warning"},
    {EventKind::kResult, "result"},
    {EventKind::kError, "error"},
}};

absl::string_view NameOf(EventKind kind) {
  for (const auto& [each, name] : kEventKindNames) {
    if (each == kind) return name;
  }
  return "";
}

EventKind KindNamed(absl::string_view name) {
  for (const auto& [kind, each] : kEventKindNames) {
    if (each == name) return kind;
  }
  return EventKind::kUnknown;
}

TrainEvent OfKind(EventKind kind) {
  TrainEvent event;
  event.kind = kind;
  return event;
}

// Members always written for a kind, so that readers of the raw line see explicit zeros.
bool HasAmount(EventKind kind) { return kind == EventKind::kProgress; }
bool HasStep(EventKind kind) {
  return kind == EventKind::kStep || kind == EventKind::kEvaluation ||
         kind == EventKind::kCheckpoint;
}
bool HasCount(EventKind kind) { return kind == EventKind::kRecords; }

absl::StatusOr<nlohmann::json> ParseLine(absl::string_view line) {
  if (line.size() > kLineBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a protocol line of ", line.size(), " bytes, the limit is ", kLineBytesMax));
  }
  FPO_ASSIGN_OR_RETURN(nlohmann::json object, ParseJson(line));
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a protocol line must be an object, got ", JsonTypeName(object)));
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

absl::Status ReadTexts(const nlohmann::json& object, EventTexts* texts) {
  const nlohmann::json* member = FindMember(object, "texts");
  if (member == nullptr) return absl::OkStatus();
  if (!member->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"texts\": expected an object, got ", JsonTypeName(*member)));
  }
  for (const auto& [name, value] : member->items()) {
    FPO_RETURN_IF_ERROR(ReadMember(*member, name, &(*texts)[name]));
  }
  return absl::OkStatus();
}

absl::Status ReadMetrics(const nlohmann::json& object, EventMetrics* metrics) {
  const nlohmann::json* member = FindMember(object, "metrics");
  if (member == nullptr) return absl::OkStatus();
  if (!member->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"metrics\": expected an object, got ", JsonTypeName(*member)));
  }
  for (const auto& [name, value] : member->items()) {
    if (value.is_null()) {  // JSON cannot represent NaN
      (*metrics)[name] = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    FPO_RETURN_IF_ERROR(ReadMember(*member, name, &(*metrics)[name]));
  }
  return absl::OkStatus();
}

}  // namespace

TrainEvent HelloEvent(const std::string& message, int64_t responses) {
  TrainEvent event = OfKind(EventKind::kHello);
  event.phase = "reference";
  event.message = message;
  event.total = responses;
  return event;
}

TrainEvent PhaseEvent(const std::string& phase, const std::string& message) {
  TrainEvent event = OfKind(EventKind::kPhase);
  event.phase = phase;
  event.message = message;
  return event;
}

TrainEvent ProgressEvent(const std::string& phase, const EventAmount& amount,
                         const std::string& activity) {
  TrainEvent event = OfKind(EventKind::kProgress);
  event.phase = phase;
  event.done = amount.done;
  event.total = amount.total;
  event.unit = amount.unit;
  event.activity = activity;
  return event;
}

TrainEvent StepEvent(int64_t step, int64_t total_steps, EventMetrics metrics) {
  TrainEvent event = OfKind(EventKind::kStep);
  event.phase = "train";
  event.step = step;
  event.total = total_steps;
  event.metrics = std::move(metrics);
  return event;
}

TrainEvent EvaluationEvent(int64_t step, int64_t total_steps, EventMetrics metrics) {
  TrainEvent event = StepEvent(step, total_steps, std::move(metrics));
  event.kind = EventKind::kEvaluation;
  event.phase.clear();
  return event;
}

TrainEvent RecordsEvent(const std::string& file, int64_t count, EventMetrics metrics) {
  TrainEvent event = OfKind(EventKind::kRecords);
  event.file = file;
  event.count = count;
  event.metrics = std::move(metrics);
  return event;
}

TrainEvent CheckpointEvent(int64_t step, const std::string& folder, EventMetrics metrics) {
  TrainEvent event = OfKind(EventKind::kCheckpoint);
  event.step = step;
  event.file = folder;
  event.metrics = std::move(metrics);
  return event;
}

TrainEvent BadCheckpointEvent(int64_t step, const std::string& message) {
  TrainEvent event = OfKind(EventKind::kCheckpointBad);
  event.step = step;
  event.message = message;
  return event;
}

TrainEvent WarningEvent(const std::string& message) {
  TrainEvent event = OfKind(EventKind::kWarning);
  event.message = message;
  return event;
}

TrainEvent ResultEvent(const std::string& file, int64_t step, EventMetrics metrics,
                       EventTexts texts) {
  TrainEvent event = OfKind(EventKind::kResult);
  event.file = file;
  event.step = step;
  event.metrics = std::move(metrics);
  event.texts = std::move(texts);
  return event;
}

TrainEvent ErrorEvent(const std::string& error_class, const std::string& message) {
  TrainEvent event = OfKind(EventKind::kError);
  event.error_class = error_class;
  event.message = message;
  return event;
}

std::string EncodeEvent(const TrainEvent& event) {
  JsonObject line;
  line.Add("v", kVersion);
  line.Add("seq", event.seq);
  line.Add("t", event.time);
  line.Add("kind", NameOf(event.kind));
  if (!event.phase.empty()) line.Add("phase", event.phase);
  if (HasAmount(event.kind) || event.done != 0) line.Add("done", event.done);
  if (HasAmount(event.kind) || event.total != 0) line.Add("total", event.total);
  if (!event.unit.empty()) line.Add("unit", event.unit);
  if (!event.activity.empty()) line.Add("activity", event.activity);
  if (HasStep(event.kind) || event.step != 0) line.Add("step", event.step);
  if (!event.metrics.empty()) {
    JsonObject metrics;
    for (const auto& [name, value] : event.metrics) metrics.Add(name, value);
    line.AddRaw("metrics", metrics.Text());
  }
  if (!event.texts.empty()) {
    JsonObject texts;
    for (const auto& [name, value] : event.texts) texts.Add(name, value);
    line.AddRaw("texts", texts.Text());
  }
  if (!event.file.empty()) line.Add("file", event.file);
  if (HasCount(event.kind) || event.count != 0) line.Add("count", event.count);
  if (!event.digest.empty()) line.Add("digest", event.digest);
  if (!event.error_class.empty()) line.Add("error_class", event.error_class);
  if (!event.message.empty()) line.Add("message", event.message);
  return line.Text();
}

absl::StatusOr<TrainEvent> ParseEvent(absl::string_view line) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json object, ParseLine(line));
  TrainEvent event;
  std::string kind;
  int64_t seq = 0;
  FPO_RETURN_IF_ERROR(ReadMember(object, "kind", &kind));
  FPO_RETURN_IF_ERROR(RequireKind(kind));
  event.kind = KindNamed(kind);
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
  FPO_RETURN_IF_ERROR(ReadTexts(object, &event.texts));
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
  FPO_ASSIGN_OR_RETURN(const nlohmann::json object, ParseLine(line));
  TrainCommand command;
  FPO_RETURN_IF_ERROR(ReadMember(object, "kind", &command.kind));
  FPO_RETURN_IF_ERROR(RequireKind(command.kind));
  FPO_RETURN_IF_ERROR(ReadMember(object, "file", &command.file));
  const nlohmann::json* ordinals = FindMember(object, "ordinals");
  if (ordinals == nullptr) return command;
  if (!ordinals->is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"ordinals\": expected an array, got ", JsonTypeName(*ordinals)));
  }
  for (const nlohmann::json& ordinal : *ordinals) {
    const int64_t value = ordinal.is_number_integer() ? ordinal.get<int64_t>() : -1;
    if (value < 0) {
      return absl::InvalidArgumentError("\"ordinals\": every one must be an integer from 0");
    }
    command.ordinals.push_back(value);
  }
  return command;
}

}  // namespace fpo
