#include "train/tokenizer/bounded_json.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kCauseBytesMax = 160;  // the parser quotes what it read last, which may be long

// Receives the parser's events and builds the value, or feeds a tap.
class Builder {
 public:
  Builder(const std::string& file, const std::vector<JsonTap>& taps, JsonLimits limits)
      : file_(file), taps_(taps), limits_(limits) {}

  bool null() { return Leaf(nullptr); }
  bool boolean(bool value) { return Leaf(value); }
  bool number_integer(int64_t value) { return Number(value); }
  bool number_unsigned(uint64_t value) {
    return value > INT64_MAX ? Leaf(value) : Number(static_cast<int64_t>(value));
  }
  bool number_float(double value, const std::string&) { return Leaf(value); }
  bool binary(Json::binary_t&) { return Fail("holds binary data"); }
  bool string(std::string& value) {
    if (tap_ == nullptr) return Leaf(std::move(value));
    if (!tap_->on_strings) return WrongInTap();
    strings_.push_back(std::move(value));
    return inside_list_ ? strings_.size() <= kStringsMax || WrongInTap() : Deliver();
  }
  bool key(std::string& value) {
    key_ = std::move(value);
    return true;
  }
  bool start_object(size_t) { return Start(Json::object()); }
  bool start_array(size_t) {
    if (tap_ == nullptr || !tap_->on_strings || inside_list_) return Start(Json::array());
    inside_list_ = true;
    return true;
  }
  bool end_object() { return End(); }
  bool end_array() {
    if (!inside_list_) return End();
    inside_list_ = false;
    return Deliver();
  }
  bool parse_error(size_t, const std::string&, const Json::exception& error) {
    const std::string cause = error.what();
    return Fail(absl::StrCat("is not JSON: ", cause.substr(0, kCauseBytesMax),
                             cause.size() > kCauseBytesMax ? " ..." : ""));
  }

  const absl::Status& status() const { return status_; }
  Json Take() { return std::move(root_); }

 private:
  static constexpr size_t kStringsMax = 16;
  struct Open {
    Json* value;
    std::string key;  // its key; "" in a list
  };

  bool Fail(absl::string_view why) {
    if (status_.ok()) status_ = absl::DataLossError(absl::StrCat(file_, " ", why));
    return false;
  }

  std::string Path() const {
    std::vector<std::string> keys;
    for (size_t i = 1; i < open_.size(); ++i) keys.push_back(open_[i].key);
    return absl::StrJoin(keys, ".");
  }

  // Inserts a value at the parser's position; null when it is rejected.
  Json* Place(Json value) {
    if (++values_ > limits_.values) {
      Fail(absl::StrCat("holds more than ", limits_.values, " values"));
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    const auto [it, fresh] = parent.emplace(key_, std::move(value));
    if (!fresh) {
      Fail(absl::StrCat("names the key \"", key_, "\" twice in ",
                        Path().empty() ? "the top object" : Path()));
      return nullptr;
    }
    return &*it;
  }

  bool Leaf(Json value) {
    return tap_ == nullptr ? Place(std::move(value)) != nullptr : WrongInTap();
  }

  bool Number(int64_t value) {
    if (tap_ == nullptr) return Leaf(value);
    if (!tap_->on_number) return WrongInTap();
    return Checked(tap_->on_number(std::move(key_), value));
  }

  bool Deliver() {
    std::vector<std::string> strings;
    strings.swap(strings_);
    ++delivered_;
    return Checked(tap_->on_strings(std::move(strings)));
  }

  bool Checked(absl::Status status) {
    if (!status.ok()) status_ = std::move(status);
    return status_.ok();
  }

  bool WrongInTap() {
    if (tap_->on_number) {
      return Fail(absl::StrCat(Path(), " holds \"", key_, "\", which is not a whole number"));
    }
    return Fail(absl::StrCat(Path(), "[", delivered_, "] is neither a string nor a list of some"));
  }

  bool Start(Json empty) {
    if (tap_ != nullptr) return WrongInTap();
    if (open_.size() >= limits_.depth) {
      return Fail(absl::StrCat("nests deeper than ", limits_.depth, " levels"));
    }
    const bool in_object = !open_.empty() && open_.back().value->is_object();
    const bool is_object = empty.is_object();
    Json* placed = Place(std::move(empty));
    if (placed == nullptr) return false;
    open_.push_back({placed, in_object ? key_ : ""});
    for (const JsonTap& tap : taps_) {
      if (is_object == static_cast<bool>(tap.on_number) && IsAt(tap)) tap_ = &tap;
    }
    delivered_ = 0;
    return true;
  }

  bool IsAt(const JsonTap& tap) const {
    if (open_.size() != tap.path.size() + 1) return false;
    for (size_t i = 0; i < tap.path.size(); ++i) {
      if (open_[i + 1].key != tap.path[i]) return false;
    }
    return true;
  }

  bool End() {
    open_.pop_back();
    tap_ = nullptr;
    return true;
  }

  const std::string& file_;
  const std::vector<JsonTap>& taps_;
  const JsonLimits limits_;
  absl::Status status_;
  Json root_;
  std::vector<Open> open_;
  std::string key_;
  size_t values_ = 0;
  const JsonTap* tap_ = nullptr;  // whose list or object is open
  bool inside_list_ = false;      // in a list of strings that is a member of the tap's list
  std::vector<std::string> strings_;
  size_t delivered_ = 0;
};

}  // namespace

absl::StatusOr<nlohmann::json> ParseBoundedJson(absl::string_view text, const std::string& file,
                                                const std::vector<JsonTap>& taps,
                                                JsonLimits limits) {
  Builder builder(file, taps, limits);
  const bool complete = Json::sax_parse(text.begin(), text.end(), &builder);
  if (!builder.status().ok()) return builder.status();
  if (!complete) return absl::DataLossError(absl::StrCat(file, " is not JSON"));
  return builder.Take();
}

}  // namespace fpo::train
