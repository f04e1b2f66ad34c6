#include "common/plan/run_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

std::string PhaseJson(const PhaseMemory& phase) {
  std::vector<std::string> parts;
  for (const MemoryPart& part : phase.parts) {
    JsonObject object;
    object.Add("name", part.name);
    object.Add("bytes", part.bytes);
    object.Add("place", part.on_device ? "device" : "host");
    parts.push_back(object.Text());
  }
  JsonObject object;
  object.Add("phase", phase.phase);
  object.Add("host_bytes", phase.host_bytes());
  object.Add("device_bytes", phase.device_bytes());
  object.AddRaw("parts", JsonArray(parts));
  return object.Text();
}

std::string TimeJson(const PhaseTime& time) {
  JsonObject object;
  object.Add("phase", time.phase);
  time.known ? object.Add("seconds", time.seconds) : object.AddRaw("seconds", "null");
  object.Add("how", time.how);
  return object.Text();
}

std::string ChangeJson(const PlanChange& change) {
  JsonObject object;
  object.Add("setting", change.setting);
  object.Add("price", change.price);
  object.Add("host_bytes", change.host_bytes);
  object.Add("device_bytes", change.device_bytes);
  return object.Text();
}

template <typename Items, typename Write>
std::string ListJson(const Items& items, const Write& write) {
  std::vector<std::string> texts;
  for (const auto& item : items) texts.push_back(write(item));
  return JsonArray(texts);
}

absl::StatusOr<PhaseMemory> ReadPhase(const nlohmann::json& item) {
  PhaseMemory phase;
  FPO_RETURN_IF_ERROR(ReadMember(item, "phase", &phase.phase));
  const nlohmann::json* parts = FindMember(item, "parts");
  if (parts == nullptr || !parts->is_array())
    return absl::InvalidArgumentError("no list \"parts\"");
  for (const nlohmann::json& entry : *parts) {
    MemoryPart& part = phase.parts.emplace_back();
    std::string place;
    FPO_RETURN_IF_ERROR(ReadMember(entry, "name", &part.name));
    FPO_RETURN_IF_ERROR(ReadMember(entry, "bytes", &part.bytes));
    FPO_RETURN_IF_ERROR(ReadMember(entry, "place", &place));
    part.on_device = place == "device";
  }
  return phase;
}

absl::StatusOr<PhaseTime> ReadTime(const nlohmann::json& item) {
  PhaseTime time;
  FPO_RETURN_IF_ERROR(ReadMember(item, "phase", &time.phase));
  FPO_RETURN_IF_ERROR(ReadMember(item, "how", &time.how));
  const nlohmann::json* seconds = FindMember(item, "seconds");
  time.known = seconds != nullptr && !seconds->is_null();
  if (time.known) FPO_RETURN_IF_ERROR(ReadMember(item, "seconds", &time.seconds));
  return time;
}

absl::StatusOr<PlanChange> ReadChange(const nlohmann::json& item) {
  PlanChange change;
  FPO_RETURN_IF_ERROR(ReadMember(item, "setting", &change.setting));
  FPO_RETURN_IF_ERROR(ReadMember(item, "price", &change.price));
  FPO_RETURN_IF_ERROR(ReadMember(item, "host_bytes", &change.host_bytes));
  FPO_RETURN_IF_ERROR(ReadMember(item, "device_bytes", &change.device_bytes));
  return change;
}

absl::StatusOr<std::string> ReadText(const nlohmann::json& item) {
  if (!item.is_string()) return absl::InvalidArgumentError("a note is no text");
  return item.get<std::string>();
}

template <typename T>
absl::Status ReadList(const nlohmann::json& root, const char* key,
                      absl::StatusOr<T> (*read)(const nlohmann::json&), std::vector<T>* out) {
  const nlohmann::json* list = FindMember(root, key);
  if (list == nullptr || !list->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("no list \"", key, "\""));
  }
  for (const nlohmann::json& item : *list) {
    FPO_ASSIGN_OR_RETURN(T value, read(item));
    out->push_back(std::move(value));
  }
  return absl::OkStatus();
}

}  // namespace

double RunPlan::Seconds() const {
  double sum = 0;
  for (const PhaseTime& time : times) sum += time.known ? time.seconds : 0;
  return sum;
}

bool RunPlan::TimeIsKnown() const {
  return !times.empty() &&
         std::all_of(times.begin(), times.end(), [](const PhaseTime& t) { return t.known; });
}

std::string RunPlanJson(const RunPlan& plan) {
  JsonObject object;
  object.Add("device", plan.device);
  object.Add("parameters", plan.parameters);
  object.Add("train_pairs", plan.train_pairs);
  object.Add("eval_pairs", plan.eval_pairs);
  object.Add("tokens", plan.tokens);
  object.Add("steps", plan.steps);
  object.Add("micro_batches", plan.micro_batches);
  object.Add("records", plan.records);
  object.Add("records_present", plan.records_present);
  object.Add("host_available_bytes", plan.host_available_bytes);
  object.Add("host_bytes", HostBytes(plan.memory));
  object.Add("device_bytes", DeviceBytes(plan.memory));
  plan.TimeIsKnown() ? object.Add("seconds", plan.Seconds()) : object.AddRaw("seconds", "null");
  object.AddRaw("memory", ListJson(plan.memory, PhaseJson));
  object.AddRaw("time", ListJson(plan.times, TimeJson));
  object.AddRaw("changes", ListJson(plan.changes, ChangeJson));
  object.AddRaw("notes", ListJson(plan.notes, [](const std::string& s) { return JsonQuote(s); }));
  return object.Text();
}

absl::StatusOr<RunPlan> ParseRunPlan(absl::string_view json) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json root, ParseJson(json));
  RunPlan plan;
  FPO_RETURN_IF_ERROR(ReadMember(root, "device", &plan.device));
  const std::pair<const char*, int64_t*> numbers[] = {
      {"parameters", &plan.parameters},
      {"train_pairs", &plan.train_pairs},
      {"eval_pairs", &plan.eval_pairs},
      {"tokens", &plan.tokens},
      {"steps", &plan.steps},
      {"micro_batches", &plan.micro_batches},
      {"records", &plan.records},
      {"records_present", &plan.records_present},
      {"host_available_bytes", &plan.host_available_bytes}};
  for (const auto& [key, number] : numbers) FPO_RETURN_IF_ERROR(ReadMember(root, key, number));
  FPO_RETURN_IF_ERROR(ReadList(root, "memory", &ReadPhase, &plan.memory));
  FPO_RETURN_IF_ERROR(ReadList(root, "time", &ReadTime, &plan.times));
  FPO_RETURN_IF_ERROR(ReadList(root, "changes", &ReadChange, &plan.changes));
  FPO_RETURN_IF_ERROR(ReadList(root, "notes", &ReadText, &plan.notes));
  return plan;
}

}  // namespace fpo
