#include "coordinator/core/store/stored_value.h"

#include <cmath>
#include <exception>
#include <limits>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fpo::coordinator {
namespace {

Json FromMetric(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}
double ToMetric(const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json == "inf") return std::numeric_limits<double>::infinity();
  if (json == "-inf") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

template <Plain T>
void Put(Json* json, const T& value) {
  *json = value;
}
template <Plain T>
void Get(const Json& json, T* value) {
  if (!json.is_null()) json.get_to(*value);
}

#define FPO_PLAIN(...)                          \
  template void Put(Json*, const __VA_ARGS__&); \
  template void Get(const Json&, __VA_ARGS__*)
FPO_PLAIN(bool);
FPO_PLAIN(int32_t);
FPO_PLAIN(int64_t);
FPO_PLAIN(uint64_t);
FPO_PLAIN(double);
FPO_PLAIN(std::string);
FPO_PLAIN(std::map<std::string, int32_t>);
FPO_PLAIN(std::map<std::string, std::string>);
FPO_PLAIN(std::vector<std::string>);
FPO_PLAIN(std::set<std::string>);
#undef FPO_PLAIN

void Put(Json* json, const absl::Time& time) {
  if (time == absl::InfinitePast()) {
    *json = nullptr;
  } else {
    *json = absl::ToUnixMicros(time);
  }
}
void Get(const Json& json, absl::Time* time) {
  *time = json.is_null() ? absl::InfinitePast() : absl::FromUnixMicros(json.get<int64_t>());
}
void Put(Json* json, const std::optional<absl::Time>& time) {
  Put(json, time.value_or(absl::InfinitePast()));
}
void Get(const Json& json, std::optional<absl::Time>* time) {
  time->reset();
  if (!json.is_null()) Get(json, &time->emplace());
}

void Put(Json* json, const std::optional<double>& value) {
  *json = value ? FromMetric(*value) : Json();
}
void Get(const Json& json, std::optional<double>* value) {
  value->reset();
  if (!json.is_null()) *value = ToMetric(json);
}
void Put(Json* json, const std::map<std::string, double>& values) {
  *json = Json::object();
  for (const auto& [name, value] : values) (*json)[name] = FromMetric(value);
}
void Get(const Json& json, std::map<std::string, double>* values) {
  for (const auto& [name, value] : json.items()) (*values)[name] = ToMetric(value);
}

Json* MemberOf(Json* object, const char* name) { return &(*object)[name]; }
Json* Append(Json* array) { return &array->emplace_back(); }
const Json& MemberOf(const Json& object, const char* name) {
  static const Json null;
  const auto it = object.find(name);
  return it == object.end() ? null : *it;
}
const Json& RequiredMemberOf(const Json& object, const char* name) {
  const Json& member = object.at(name);
  RequireValue(member);
  return member;
}
const Json& ItemOf(const Json& array, size_t index) { return array.at(index); }
size_t SizeOf(const Json& array) {
  if (!array.is_array() && !array.is_null()) throw std::invalid_argument("no array");
  return array.size();
}
void RequireValue(const Json& json) {
  if (json.is_null()) throw std::invalid_argument("null where there must be a value");
}
void RequireObject(const Json& json) {
  if (!json.is_object() && !json.is_null()) throw std::invalid_argument("no object");
}
void MakeArray(Json* json) { *json = Json::array(); }
void ThrowUnknownName(const std::string& name) {
  throw std::invalid_argument(absl::StrCat("unknown name \"", name, "\""));
}

std::string WriteStored(const std::function<void(Json*)>& write) {
  Json json;
  write(&json);
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
