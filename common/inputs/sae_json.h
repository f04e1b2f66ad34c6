#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/inputs/sae_description.h"
#include "nlohmann/json_fwd.hpp"

// What the readers of the different configuration files of SAEs share.
namespace fpo::sae_json {

absl::Status Refuse(const std::string& file, absl::string_view why);

absl::StatusOr<nlohmann::json> ParseObject(absl::string_view text, const std::string& file);

// A member: "" or nullopt when absent or of another type.
std::string Word(const nlohmann::json& json, const char* key);
std::optional<int64_t> Whole(const nlohmann::json& json, const char* key);
std::optional<double> Number(const nlohmann::json& json, const char* key);

// true or false; the fallback when absent or null; InvalidArgument for anything else.
absl::StatusOr<bool> Flag(const nlohmann::json& json, const char* key, bool fallback,
                          const std::string& file);

// Active features of a TopK SAE: a whole number from 1.
absl::Status SetTopK(const nlohmann::json& k, const std::string& file, SaeDescription* description);

// d_in and d_sae under the names of one format.
void SetSizes(std::optional<int64_t> d_in, std::optional<int64_t> d_sae,
              SaeDescription* description);

}  // namespace fpo::sae_json
