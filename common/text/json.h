#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace fpo {

// The text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string JsonQuote(absl::string_view text);
// Shortest decimal that reads back as the same double; "null" for infinities and NaN.
std::string JsonNumber(double value);
// Joins finished JSON values: "[a,b]".
std::string JsonArray(const std::vector<std::string>& values);

// Writes one object, members in the order of the calls and numbers by JsonNumber, so that the bytes
// can be canonical. The caller gives each key once.
class JsonObject {
 public:
  void Add(absl::string_view key, absl::string_view value) { AddRaw(key, JsonQuote(value)); }
  void Add(absl::string_view key, const std::string& value) { AddRaw(key, JsonQuote(value)); }
  void Add(absl::string_view key, const char* value) { AddRaw(key, JsonQuote(value)); }
  void Add(absl::string_view key, bool value) { AddRaw(key, value ? "true" : "false"); }
  void Add(absl::string_view key, double value) { AddRaw(key, JsonNumber(value)); }
  template <class T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
  void Add(absl::string_view key, T value) {
    AddRaw(key, std::to_string(value));
  }
  // A finished JSON value: another object, an array.
  void AddRaw(absl::string_view key, absl::string_view json);
  std::string Text() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

// The value that nlohmann's parser builds; a .cc that inspects it includes nlohmann/json.hpp.
// InvalidArgument with line and column; also for a duplicate key in an object, which the parser
// alone would drop silently, for more than 64 levels and for text after the value.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text);

// "an integer": its type with its article.
absl::string_view JsonTypeName(const nlohmann::json& value);
// nullptr: absent, or `object` is not an object.
const nlohmann::json* FindMember(const nlohmann::json& object, absl::string_view key);

// Reads a member of an object into *out. Absent: leaves *out and succeeds. InvalidArgument naming
// the key when it is of another type, or an integer beyond int64; a double takes an integer too.
absl::Status ReadMember(const nlohmann::json& object, absl::string_view key, bool* out);
absl::Status ReadMember(const nlohmann::json& object, absl::string_view key, int64_t* out);
absl::Status ReadMember(const nlohmann::json& object, absl::string_view key, double* out);
absl::Status ReadMember(const nlohmann::json& object, absl::string_view key, std::string* out);

}  // namespace fpo
