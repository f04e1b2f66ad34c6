#include "train/rows/row_json.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "train/rows/row_form.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kLevelsMax = 100;
constexpr size_t kReasonBytesMax = 160;  // the parser quotes what it read last, which may be long

// Builds the value from the parser's events.
class RowBuilder {
 public:
  bool null() { return Place(nullptr); }
  bool boolean(bool value) { return Place(value); }
  bool number_integer(int64_t value) { return Place(value); }
  bool number_unsigned(uint64_t value) { return Place(value); }
  bool number_float(double value, const std::string&) { return Place(value); }
  bool string(std::string& value) { return Place(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }
  bool key(std::string& value) {
    key_ = std::move(value);
    if (!open_.back()->contains(key_)) return true;
    error_ = absl::StrCat("the key \"", key_.substr(0, 60), "\" appears twice in one object");
    repeated_ = true;
    return false;
  }
  bool start_object(size_t) { return Open(Json::object()); }
  bool start_array(size_t) { return Open(Json::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool parse_error(size_t at, const std::string&, const Json::exception& error) {
    at_ = at;
    error_ = error.what();
    return false;
  }

  const std::string& error() const { return error_; }
  const std::string& key() const { return key_; }  // the last one
  bool repeated() const { return repeated_; }      // it is why the parser stopped
  size_t at() const { return at_; }                // bytes read at a parse error
  Json Take() { return std::move(root_); }

 private:
  bool Place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
    } else {
      (*open_.back())[key_] = std::move(value);
    }
    return true;
  }
  bool Open(Json value) {
    if (open_.size() >= kLevelsMax) {
      error_ = absl::StrCat("lists and objects are nested more than ", kLevelsMax, " deep");
      return false;
    }
    const bool in_list = !open_.empty() && open_.back()->is_array();
    Place(std::move(value));
    Json* placed = open_.empty() ? &root_
                   : in_list     ? &open_.back()->back()
                                 : &(*open_.back())[key_];
    open_.push_back(placed);
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;
  std::string key_, error_;
  bool repeated_ = false;
  size_t at_ = 0;
};

// The parser's words without their prefix: "syntax error while parsing value - invalid literal".
std::string Reason(const std::string& what) {
  absl::string_view reason = what;
  const size_t at = reason.find(": ");
  if (absl::StartsWith(reason, "[json.exception") && at != reason.npos) {
    reason.remove_prefix(at + 2);
  }
  absl::ConsumePrefix(&reason, "syntax error while ");
  if (absl::StrContains(reason, "surrogate")) {
    return "half of a surrogate pair (\\ud83d or the like), which is no character";
  }
  return absl::StrCat(reason.substr(0, kReasonBytesMax),
                      reason.size() > kReasonBytesMax ? " ..." : "");
}

// Where the parser stopped, when that was not at an error of its own: behind the first list or
// object that is too deep, or at the second of two keys in one object.
class StopFinder {
 public:
  StopFinder(absl::string_view text, const RowBuilder& failed) : text_(text), failed_(failed) {}

  size_t Find() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        const size_t begin = at_;
        if (SkipString() && IsRepeated(text_.substr(begin + 1, at_ - begin - 1))) return begin;
      } else if (c == '{' || c == '[') {
        counts_.push_back(0);
        if (counts_.size() > kLevelsMax) return at_;
      } else if ((c == '}' || c == ']') && !counts_.empty()) {
        counts_.pop_back();
      }
    }
    return 0;
  }

 private:
  // Moves to the closing quote; returns whether the string is a key.
  bool SkipString() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) at_ += text_[at_] == '\\';
    const size_t next = text_.find_first_not_of(" \t\r\n", at_ + 1);
    return next != text_.npos && text_[next] == ':';
  }
  bool IsRepeated(absl::string_view key) {
    const bool same = failed_.repeated() && key == failed_.key() && !counts_.empty();
    return same && ++counts_.back() == 2;
  }

  absl::string_view text_;
  const RowBuilder& failed_;
  size_t at_ = 0;
  std::vector<int> counts_;  // of the key, in each open object
};

// The text with NaN, Infinity and -Infinity outside of strings as empty strings of equal length.
std::string WithoutNonNumbers(absl::string_view text) {
  std::string out(text);
  bool inside = false;
  for (size_t i = 0; i < out.size(); ++i) {
    if (inside && out[i] == '\\') {
      ++i;
      continue;
    }
    if (out[i] == '"') inside = !inside;
    if (inside || (out[i] != 'N' && out[i] != 'I')) continue;
    for (const absl::string_view word : {"NaN", "Infinity"}) {
      if (text.substr(i, word.size()) != word) continue;
      const bool minus = i > 0 && out[i - 1] == '-';
      const size_t begin = minus ? i - 1 : i, size = word.size() + (minus ? 1 : 0);
      out.replace(begin, size, absl::StrCat("\"\"", std::string(size - 2, ' ')));
      i = begin + size - 1;
      break;
    }
  }
  return out;
}

bool Parse(absl::string_view text, RowBuilder* builder) {
  return Json::sax_parse(text.begin(), text.end(), builder);
}

}  // namespace

absl::StatusOr<Json> ParseRowJson(absl::string_view text, size_t* bad) {
  RowBuilder builder;
  if (Parse(text, &builder)) return builder.Take();
  RowBuilder second;
  const bool has_words = absl::StrContains(text, "NaN") || absl::StrContains(text, "Infinity");
  if (has_words && Parse(WithoutNonNumbers(text), &second)) return second.Take();
  const RowBuilder& failed = has_words ? second : builder;
  *bad = failed.at() > 0 ? failed.at() - 1 : StopFinder(text, failed).Find();
  if (failed.at() == 0) return absl::InvalidArgumentError(failed.error());
  return absl::InvalidArgumentError(WhyNoJson(text, Reason(failed.error())));
}

}  // namespace fpo::train
