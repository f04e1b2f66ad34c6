#include "coordinator/core/store/json_codec.h"

#include <exception>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fpo::coordinator {

Json FromTime(absl::Time time) {
  if (time == absl::InfinitePast()) return nullptr;
  return absl::ToUnixMicros(time);
}

absl::Time ToTime(const Json& json) {
  return json.is_null() ? absl::InfinitePast() : absl::FromUnixMicros(json.get<int64_t>());
}

const Json& At(const Json& json, const char* name) {
  static const Json null;
  const auto it = json.find(name);
  return it == json.end() ? null : *it;
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status ReadStored(absl::string_view bytes, absl::string_view what,
                        const std::function<void(const Json&)>& read) {
  try {
    read(Json::parse(bytes.begin(), bytes.end()));
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::DataLossError(
        absl::StrCat("stored ", what, " of ", bytes.size(), " bytes: ", error.what()));
  }
}

}  // namespace fpo::coordinator
