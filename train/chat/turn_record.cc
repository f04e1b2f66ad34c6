#include "train/chat/turn_record.h"

#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr int64_t kMaxBytes = 4 << 20;  // a template has at most 1 MiB

std::string TurnRecordPath(const std::string& folder) { return folder + "/chat.json"; }

}  // namespace

absl::Status WriteTurnRecord(const TurnRecord& record, const std::string& folder) {
  const nlohmann::ordered_json json = {
      {"turns", record.turns}, {"ends", record.ends}, {"template", record.jinja}};
  return WriteFileAtomically(TurnRecordPath(folder), json.dump(2) + "\n");
}

absl::StatusOr<std::optional<TurnRecord>> ReadTurnRecord(const std::string& folder) {
  const std::string path = TurnRecordPath(folder);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto is = [&](const char* key, auto test) {
    return json.is_object() && json.contains(key) && (json[key].*test)();
  };
  using Value = nlohmann::json;
  bool good = is("turns", &Value::is_string) && is("template", &Value::is_string) &&
              is("ends", &Value::is_array);
  TurnRecord record;
  if (good) {
    for (const Value& id : json["ends"]) {
      good = good && id.is_number_integer();
      if (good) record.ends.push_back(id.get<int32_t>());
    }
  }
  if (!good) return absl::DataLossError(absl::StrCat(path, " does not say how turns are rendered"));
  record.turns = json["turns"];
  record.jinja = json["template"];
  return record;
}

}  // namespace fpo::train
