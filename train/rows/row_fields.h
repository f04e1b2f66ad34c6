#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace fpo::train {

// Looking into the JSON object of a row. A field that is null counts as absent.

const nlohmann::json* FieldOf(const nlohmann::json& row, absl::string_view key);  // or nullptr
bool HasField(const nlohmann::json& row, absl::string_view key);
bool HasString(const nlohmann::json& row, absl::string_view key);
bool HasList(const nlohmann::json& row, absl::string_view key);
bool HasObject(const nlohmann::json& row, absl::string_view key);

// The first of the keys that the row has, or "".
std::string FirstField(const nlohmann::json& row, const std::vector<const char*>& keys);

// InvalidArgument when it is absent or of another type.
absl::StatusOr<std::string> TakeString(const nlohmann::json& row, absl::string_view key);
absl::StatusOr<std::vector<int32_t>> TakeIds(const nlohmann::json& row, absl::string_view key);

// A finite number, or nullopt.
std::optional<double> NumberOf(const nlohmann::json& row, absl::string_view key);

// "no field 'chosen'", and whether an error is one: the row is then of another form, which its
// fields describe best.
absl::Status NoField(absl::string_view key);
bool IsMissingField(const absl::Status& status);

// What a row asks in one text, and how: `prompt`, as TRL's plain strings, or an instruction that
// stands for a user's turn (instruction, question, query or input, with input or context below it).
// nullopt: neither.
struct PromptText {
  std::string text;
  bool is_turn = false;
};
std::optional<PromptText> PromptTextOf(const nlohmann::json& row);

}  // namespace fpo::train
