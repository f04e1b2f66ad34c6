#include "common/text/json.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

constexpr size_t kMaxDepth = 64;

// Builds the value while nlohmann's parser runs: its own tree would drop repeated keys silently.
class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonValue TakeRoot() { return std::move(root_); }
  const std::string& error() const { return error_; }

  bool null() override { return Place(JsonValue()); }
  bool boolean(bool value) override { return Place(JsonValue(value)); }
  bool number_integer(number_integer_t value) override {
    return Place(JsonValue(static_cast<int64_t>(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Place(JsonValue(static_cast<double>(value)));
    }
    return Place(JsonValue(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return Place(JsonValue(static_cast<double>(value)));
  }
  bool string(string_t& value) override { return Place(JsonValue(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(JsonValue::Object()); }
  bool start_array(size_t) override { return Open(JsonValue::Array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) {
      error_ = absl::StrCat("the key ", JsonQuote(name), " appears twice in one object");
      return false;
    }
    open_.back()->MutableMembers().emplace_back(std::move(name), JsonValue());
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    const std::string what = e.what();
    const size_t end_of_id = what.find("] ");  // "[json.exception.parse_error.101] parse error ..."
    error_ = end_of_id == std::string::npos ? what : what.substr(end_of_id + 2);
    return false;
  }

 private:
  bool Place(JsonValue value) {
    Slot() = std::move(value);
    return true;
  }

  bool Open(JsonValue container) {
    if (open_.size() >= kMaxDepth) {
      error_ = absl::StrCat("more than ", kMaxDepth, " levels of arrays and objects");
      return false;
    }
    JsonValue& slot = Slot();
    slot = std::move(container);
    open_.push_back(&slot);
    keys_.emplace_back();
    return true;
  }

  bool Close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  // Where the next value goes. Containers still open hold still: only the innermost one grows.
  JsonValue& Slot() {
    if (open_.empty()) return root_;
    JsonValue& parent = *open_.back();
    if (parent.type() == JsonValue::Type::kObject) return parent.MutableMembers().back().second;
    return parent.MutableItems().emplace_back();
  }

  JsonValue root_;
  std::vector<JsonValue*> open_;
  std::vector<std::unordered_set<std::string>> keys_;  // of each open container
  std::string error_;
};

absl::Status WrongType(absl::string_view key, absl::string_view expected, const JsonValue& got) {
  return absl::InvalidArgumentError(
      absl::StrCat(JsonQuote(key), ": expected ", expected, ", got ", got.TypeName()));
}

}  // namespace

std::string JsonQuote(absl::string_view text) {
  using nlohmann::json;
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

JsonValue JsonValue::Array() {
  JsonValue value;
  value.type_ = Type::kArray;
  return value;
}

JsonValue JsonValue::Object() {
  JsonValue value;
  value.type_ = Type::kObject;
  return value;
}

absl::string_view JsonValue::TypeName() const {
  switch (type_) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "a boolean";
    case Type::kInteger:
      return "an integer";
    case Type::kNumber:
      return "a number";
    case Type::kString:
      return "a string";
    case Type::kArray:
      return "an array";
    case Type::kObject:
      return "an object";
  }
  return "";
}

double JsonValue::AsNumber() const {
  return type_ == Type::kInteger ? static_cast<double>(integer_) : number_;
}

const JsonValue* JsonValue::Find(absl::string_view key) const {
  for (const Member& member : members_) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

absl::StatusOr<JsonValue> ParseJson(absl::string_view text) {
  TreeBuilder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    return absl::InvalidArgumentError(absl::StrCat("not valid JSON: ", builder.error()));
  }
  return builder.TakeRoot();
}

absl::Status ReadMember(const JsonValue& object, absl::string_view key, bool* out) {
  const JsonValue* value = object.Find(key);
  if (value == nullptr) return absl::OkStatus();
  if (value->type() != JsonValue::Type::kBool) return WrongType(key, "a boolean", *value);
  *out = value->AsBool();
  return absl::OkStatus();
}

absl::Status ReadMember(const JsonValue& object, absl::string_view key, int64_t* out) {
  const JsonValue* value = object.Find(key);
  if (value == nullptr) return absl::OkStatus();
  if (value->type() != JsonValue::Type::kInteger) return WrongType(key, "an integer", *value);
  *out = value->AsInteger();
  return absl::OkStatus();
}

absl::Status ReadMember(const JsonValue& object, absl::string_view key, double* out) {
  const JsonValue* value = object.Find(key);
  if (value == nullptr) return absl::OkStatus();
  if (value->type() != JsonValue::Type::kNumber && value->type() != JsonValue::Type::kInteger) {
    return WrongType(key, "a number", *value);
  }
  *out = value->AsNumber();
  return absl::OkStatus();
}

absl::Status ReadMember(const JsonValue& object, absl::string_view key, std::string* out) {
  const JsonValue* value = object.Find(key);
  if (value == nullptr) return absl::OkStatus();
  if (value->type() != JsonValue::Type::kString) return WrongType(key, "a string", *value);
  *out = value->AsString();
  return absl::OkStatus();
}

}  // namespace fpo
