#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/values/enum_names.h"

// The stored form of single values: JSON. Put writes one, Get reads it back and throws a
// std::exception for one of another type. stored_fields.h makes structs of them.
namespace fpo::coordinator {

using Json = nlohmann::json;

template <typename T, typename... Others>
concept OneOf = (std::same_as<T, Others> || ...);
// What JSON has too.
template <typename T>
concept Plain =
    OneOf<T, bool, int32_t, int64_t, uint64_t, double, std::string, std::map<std::string, int32_t>,
          std::map<std::string, std::string>, std::vector<std::string>, std::set<std::string>>;

// Reading null, which is also what an absent field is, leaves a plain value as it is.
template <Plain T>
void Put(Json* json, const T& value);
template <Plain T>
void Get(const Json& json, T* value);

// Microseconds since the epoch; null is InfinitePast, or none.
void Put(Json* json, const absl::Time& time);
void Get(const Json& json, absl::Time* time);
void Put(Json* json, const std::optional<absl::Time>& time);
void Get(const Json& json, std::optional<absl::Time>* time);

// Metrics: JSON has no NaN or infinities, a diverging loss has; they are stored as texts.
void Put(Json* json, const std::optional<double>& value);
void Get(const Json& json, std::optional<double>* value);
void Put(Json* json, const std::map<std::string, double>& values);
void Get(const Json& json, std::map<std::string, double>* values);

// What the templates here and in stored_fields.h are made of, so that they do without json.hpp.
Json* MemberOf(Json* object, const char* name);                      // null becomes an object
Json* Append(Json* array);                                           // null becomes an array
const Json& MemberOf(const Json& object, const char* name);          // null when absent
const Json& RequiredMemberOf(const Json& object, const char* name);  // throws when absent or null
const Json& ItemOf(const Json& array, size_t index);                 // throws when there is none
size_t SizeOf(const Json& array);                                    // of null: 0
void RequireValue(const Json& json);                                 // throws for null
void RequireObject(const Json& json);                                // null is one without members
void MakeArray(Json* json);
[[noreturn]] void ThrowUnknownName(const std::string& name);

// An enum is stored by its name in EnumNames. An unknown name, such as that of a newer program, is
// an error, or reads as none where there is a none, which is stored as "".
template <NamedEnum Enum>
void Put(Json* json, const Enum& value) {
  Put(json, std::string(Name(value)));
}
template <NamedEnum Enum>
void Get(const Json& json, Enum* value) {
  std::string name;
  Get(json, &name);
  const std::optional<Enum> known = FromName<Enum>(name);
  if (!known) ThrowUnknownName(name);
  *value = *known;
}
template <NamedEnum Enum>
void Put(Json* json, const std::optional<Enum>& value) {
  Put(json, std::string(Name(value)));
}
template <NamedEnum Enum>
void Get(const Json& json, std::optional<Enum>* value) {
  std::string name;
  Get(json, &name);
  *value = FromName<Enum>(name);
}

// The bytes of what `write` puts. Text is whatever a process wrote: bytes that are not UTF-8
// become U+FFFD.
std::string WriteStored(const std::function<void(Json*)>& write);
// Calls `read` with what the bytes hold. DataLoss, naming `what`, for bytes that are no JSON and
// when `read` throws.
absl::Status ReadStored(absl::string_view bytes, absl::string_view what,
                        const std::function<void(const Json&)>& read);

}  // namespace fpo::coordinator
