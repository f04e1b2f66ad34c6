#include "train/rows/row_fields.h"

#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr absl::string_view kNoField = "no field '";

}  // namespace

const Json* FieldOf(const Json& row, absl::string_view key) {
  if (!row.is_object()) return nullptr;
  const auto it = row.find(std::string(key));
  return it == row.end() || it->is_null() ? nullptr : &*it;
}
bool HasField(const Json& row, absl::string_view key) { return FieldOf(row, key) != nullptr; }
bool HasString(const Json& row, absl::string_view key) {
  const Json* field = FieldOf(row, key);
  return field != nullptr && field->is_string();
}
bool HasList(const Json& row, absl::string_view key) {
  const Json* field = FieldOf(row, key);
  return field != nullptr && field->is_array();
}
bool HasObject(const Json& row, absl::string_view key) {
  const Json* field = FieldOf(row, key);
  return field != nullptr && field->is_object();
}

std::string FirstField(const Json& row, const std::vector<const char*>& keys) {
  for (const char* key : keys) {
    if (HasField(row, key)) return key;
  }
  return "";
}

absl::Status NoField(absl::string_view key) {
  return absl::InvalidArgumentError(absl::StrCat(kNoField, key, "'"));
}
bool IsMissingField(const absl::Status& status) {
  return absl::StartsWith(status.message(), kNoField);
}

absl::StatusOr<std::string> TakeString(const Json& row, absl::string_view key) {
  const Json* field = FieldOf(row, key);
  if (field == nullptr) return NoField(key);
  if (field->is_string()) return field->get<std::string>();
  return absl::InvalidArgumentError(
      absl::StrCat("field '", key, "' is ", field->type_name(), ", expected a string"));
}

absl::StatusOr<std::vector<int32_t>> TakeIds(const Json& row, absl::string_view key) {
  const Json* field = FieldOf(row, key);
  if (field == nullptr) return NoField(key);
  if (!field->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("field '", key, "' is not a list of ids"));
  }
  std::vector<int32_t> ids;
  for (const Json& item : *field) {
    if (!item.is_number_unsigned() ||
        item.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", key, "' holds ", item.dump().substr(0, 40), ", which is not a token id"));
    }
    ids.push_back(static_cast<int32_t>(item.get<uint64_t>()));
  }
  return ids;
}

std::optional<double> NumberOf(const Json& row, absl::string_view key) {
  const Json* field = FieldOf(row, key);
  if (field == nullptr || !field->is_number()) return std::nullopt;
  const double value = field->get<double>();
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

std::optional<PromptText> PromptTextOf(const Json& row) {
  if (HasString(row, "prompt")) return PromptText{row["prompt"].get<std::string>(), false};
  for (const char* key : {"instruction", "question", "query", "input"}) {
    if (!HasString(row, key)) continue;
    std::string text = row[key].get<std::string>();
    // What the instruction is about, on a line of its own: Alpaca's input, Dolly's context.
    for (const char* about : {"input", "context"}) {
      if (std::string(key) == about || !HasString(row, about)) continue;
      const std::string& more = row[about].get_ref<const std::string&>();
      if (!more.empty()) absl::StrAppend(&text, "\n", more);
    }
    return PromptText{std::move(text), true};
  }
  return std::nullopt;
}

}  // namespace fpo::train
