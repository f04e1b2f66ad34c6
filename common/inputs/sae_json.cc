#include "common/inputs/sae_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fpo::sae_json {

using Json = nlohmann::json;

absl::Status Refuse(const std::string& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("SAE ", file, " cannot be used: ", why));
}

absl::StatusOr<Json> ParseObject(absl::string_view text, const std::string& file) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Refuse(file, "it is not a JSON object");
  return json;
}

std::string Word(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<int64_t> Whole(const Json& json, const char* key) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_number_integer()) return std::nullopt;
  return it->get<int64_t>();
}

std::optional<double> Number(const Json& json, const char* key) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

absl::StatusOr<bool> Flag(const Json& json, const char* key, bool fallback,
                          const std::string& file) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return fallback;
  if (!it->is_boolean()) return Refuse(file, absl::StrCat(key, " is not true or false"));
  return it->get<bool>();
}

absl::Status SetTopK(const Json& k, const std::string& file, SaeDescription* description) {
  constexpr int64_t kMost = 1 << 20;
  if (!k.is_number_integer() || k < 1 || k > kMost) {
    return Refuse(file, absl::StrCat("it is a TopK SAE whose k is ", k.dump(),
                                     "; a whole number from 1 is needed"));
  }
  description->top_k = k.get<int64_t>();
  description->target_l0 = static_cast<double>(description->top_k);
  description->plain_relu = true;
  return absl::OkStatus();
}

void SetSizes(std::optional<int64_t> d_in, std::optional<int64_t> d_sae,
              SaeDescription* description) {
  if (d_in && *d_in > 0) description->d_in = d_in;
  if (d_sae && *d_sae > 0) description->d_sae = d_sae;
}

}  // namespace fpo::sae_json
