#include "common/text/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

constexpr size_t kMaxDepth = 64;

using nlohmann::json;

// Checks each part of the text as the parser reaches it.
class Strictness {
 public:
  // Returning false drops the part: the text is rejected anyway.
  bool operator()(int depth, json::parse_event_t event, const json& value) {
    if (!error_.empty()) return false;
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (static_cast<size_t>(depth) >= kMaxDepth) {
        Note(absl::StrCat("more than ", kMaxDepth, " levels of arrays and objects"));
        return false;
      }
      keys_[depth].clear();
    } else if (event == json::parse_event_t::key) {
      const auto& name = value.get_ref<const std::string&>();
      if (!keys_[depth - 1].insert(name).second) {
        Note(absl::StrCat("the key ", JsonQuote(name), " appears twice in one object"));
      }
    }
    return true;
  }
  const std::string& error() const { return error_; }

 private:
  void Note(std::string error) {
    if (error_.empty()) error_ = std::move(error);
  }

  std::array<std::unordered_set<std::string>, kMaxDepth> keys_;  // of the open object of each level
  std::string error_;
};

bool IsInteger(const json& value) {
  return value.is_number_integer() &&
         !(value.is_number_unsigned() &&
           value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

absl::Status WrongType(absl::string_view key, absl::string_view expected, const json& got) {
  return absl::InvalidArgumentError(
      absl::StrCat(JsonQuote(key), ": expected ", expected, ", got ", JsonTypeName(got)));
}

}  // namespace

std::string JsonQuote(absl::string_view text) {
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string JsonNumber(double value) {
  if (!std::isfinite(value)) return "null";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, end.ptr);
}

std::string JsonArray(const std::vector<std::string>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ","), "]");
}

void JsonObject::AddRaw(absl::string_view key, absl::string_view json) {
  absl::StrAppend(&text_, text_.size() > 1 ? "," : "", JsonQuote(key), ":", json);
}

absl::string_view JsonTypeName(const json& value) {
  if (IsInteger(value)) return "an integer";
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::boolean:
      return "a boolean";
    case json::value_t::string:
      return "a string";
    case json::value_t::array:
      return "an array";
    case json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

const json* FindMember(const json& object, absl::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() ? nullptr : &*found;
}

absl::StatusOr<json> ParseJson(absl::string_view text) {
  Strictness strictness;
  json value;
  std::string error;
  try {
    value = json::parse(text.begin(), text.end(), std::ref(strictness));
  } catch (const json::exception& e) {
    const std::string what = e.what();
    const size_t end_of_id = what.find("] ");  // "[json.exception.parse_error.101] parse error ..."
    error = end_of_id == std::string::npos ? what : what.substr(end_of_id + 2);
  }
  if (!strictness.error().empty()) error = strictness.error();
  if (error.empty()) return value;
  return absl::InvalidArgumentError(absl::StrCat("not valid JSON: ", error));
}

absl::Status ReadMember(const json& object, absl::string_view key, bool* out) {
  const json* value = FindMember(object, key);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_boolean()) return WrongType(key, "a boolean", *value);
  *out = value->get<bool>();
  return absl::OkStatus();
}

absl::Status ReadMember(const json& object, absl::string_view key, int64_t* out) {
  const json* value = FindMember(object, key);
  if (value == nullptr) return absl::OkStatus();
  if (!IsInteger(*value)) return WrongType(key, "an integer", *value);
  *out = value->get<int64_t>();
  return absl::OkStatus();
}

absl::Status ReadMember(const json& object, absl::string_view key, double* out) {
  const json* value = FindMember(object, key);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_number()) return WrongType(key, "a number", *value);
  *out = value->get<double>();
  return absl::OkStatus();
}

absl::Status ReadMember(const json& object, absl::string_view key, std::string* out) {
  const json* value = FindMember(object, key);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_string()) return WrongType(key, "a string", *value);
  *out = value->get<std::string>();
  return absl::OkStatus();
}

}  // namespace fpo
