#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// The text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string JsonQuote(absl::string_view text);
// Shortest decimal that reads back as the same double; "null" for infinities and NaN.
std::string JsonNumber(double value);
// "[a,b]" of finished JSON values.
std::string JsonArray(const std::vector<std::string>& values);

// Writes one object, members in the order of the calls. The caller gives each key once.
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

// A parsed JSON value. Integers that fit int64 stay exact. Accessors of another type than type()
// return an empty value.
class JsonValue {
 public:
  enum class Type { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };
  using Member = std::pair<std::string, JsonValue>;

  JsonValue() = default;
  explicit JsonValue(bool value) : type_(Type::kBool), integer_(value ? 1 : 0) {}
  explicit JsonValue(int64_t value) : type_(Type::kInteger), integer_(value) {}
  explicit JsonValue(double value) : type_(Type::kNumber), number_(value) {}
  explicit JsonValue(std::string value) : type_(Type::kString), string_(std::move(value)) {}
  static JsonValue Array();
  static JsonValue Object();

  Type type() const { return type_; }
  absl::string_view TypeName() const;  // with its article: "an integer"
  bool IsNull() const { return type_ == Type::kNull; }
  bool AsBool() const { return type_ == Type::kBool && integer_ != 0; }
  int64_t AsInteger() const { return type_ == Type::kInteger ? integer_ : 0; }
  double AsNumber() const;  // of an integer too
  const std::string& AsString() const { return string_; }
  const std::vector<JsonValue>& Items() const { return items_; }
  const std::vector<Member>& Members() const { return members_; }  // in the order of the text
  const JsonValue* Find(absl::string_view key) const;              // nullptr: absent or no object

  std::vector<JsonValue>& MutableItems() { return items_; }
  std::vector<Member>& MutableMembers() { return members_; }

 private:
  Type type_ = Type::kNull;
  int64_t integer_ = 0;
  double number_ = 0;
  std::string string_;
  std::vector<JsonValue> items_;
  std::vector<Member> members_;
};

// InvalidArgument with line and column; also for a key that appears twice in an object, for more
// than 64 levels and for text after the value.
absl::StatusOr<JsonValue> ParseJson(absl::string_view text);

// Reads a member of an object into *out. Absent: leaves *out and succeeds. InvalidArgument naming
// the key when it is of another type; a double takes an integer too.
absl::Status ReadMember(const JsonValue& object, absl::string_view key, bool* out);
absl::Status ReadMember(const JsonValue& object, absl::string_view key, int64_t* out);
absl::Status ReadMember(const JsonValue& object, absl::string_view key, double* out);
absl::Status ReadMember(const JsonValue& object, absl::string_view key, std::string* out);

}  // namespace fpo
