#include "ctl/command_line/value_check.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/security/peer_address.h"
#include "common/text/closest_word.h"
#include "common/text/duration_text.h"
#include "common/text/label.h"
#include "common/text/principal_name.h"
#include "common/text/worker_name.h"
#include "ctl/command_line/context_file.h"

namespace fpo::ctl {
namespace {

constexpr size_t kHexDigits = 64;  // of an id in the cache
constexpr size_t kJobNameMax = 63;

struct ValueRule {
  ValueKind kind;
  const std::vector<std::string>& choices;
  int64_t least = 0;
  int64_t most = 0;
};

bool IsHex(const std::string& value) {
  return value.size() <= kHexDigits &&
         std::all_of(value.begin(), value.end(), absl::ascii_isxdigit);
}

bool IsJobWord(const std::string& value) {
  return value.size() <= kJobNameMax && std::all_of(value.begin(), value.end(), [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

bool IsLabel(const std::string& value) {
  const size_t equals = value.find('=');
  return equals != std::string::npos && equals + 1 < value.size() &&
         IsLabelName(value.substr(0, equals)) && IsLabelValue(value.substr(equals + 1));
}

bool IsSetting(const std::string& value) {
  const size_t equals = value.find('=');
  return equals != std::string::npos && equals != 0;
}

bool IsCount(const std::string& value, const ValueRule& rule) {
  int64_t count = 0;
  return absl::SimpleAtoi(value, &count) && count >= rule.least && count <= rule.most;
}

bool IsDuration(const std::string& value) {
  const absl::StatusOr<absl::Duration> duration = ParseDurationText(value);
  return duration.ok() && *duration > absl::ZeroDuration();
}

// What the value must be; empty: it is valid.
std::string Wanted(const std::string& value, const ValueRule& rule) {
  const auto unless = [](bool fits, std::string wanted) { return fits ? "" : std::move(wanted); };
  switch (rule.kind) {
    case ValueKind::kCount:
      return unless(IsCount(value, rule),
                    absl::StrCat("a whole number from ", rule.least, " to ", rule.most));
    case ValueKind::kDuration:
      return unless(IsDuration(value), "a duration above 0 such as 90s, 10m, 1h30m or 30d");
    case ValueKind::kSetting:
      return unless(IsSetting(value), "KEY=VALUE, e.g. method.beta=2");
    case ValueKind::kLabel:
      return unless(IsLabel(value),
                    "NAME=VALUE, e.g. team=align, its name of letters, digits, "
                    "'.', '_', '-' and '/'");
    case ValueKind::kJob:
      return unless(IsJobWord(value), "a job's id or name: at most 63 of a-z, 0-9 and -");
    case ValueKind::kWorker:
      return unless(IsWorkerName(value), "a worker's name: letters, digits, '.', '_' and '-'");
    case ValueKind::kUser:
      return unless(IsPrincipalName(value),
                    "a name of letters, digits, '-', '_', '.' and '@', at most 64");
    case ValueKind::kContext:
      return unless(IsContextName(value), "letters, digits, '.', '_' and '-', at most 63");
    case ValueKind::kManifest:
      return unless(IsHex(value), "the beginning of a manifest's id: up to 64 hex digits");
    case ValueKind::kKey:
      return unless(IsHex(value) && value.size() == kHexDigits, "64 hex digits");
    case ValueKind::kChoice: {
      const bool is_one =
          std::find(rule.choices.begin(), rule.choices.end(), value) != rule.choices.end();
      return unless(is_one, absl::StrCat("one of ", absl::StrJoin(rule.choices, ", "),
                                         DidYouMean(value, rule.choices)));
    }
    default:
      return "";
  }
}

absl::Status CheckValue(const std::string& name, const std::string& value, const ValueRule& rule) {
  if (value.empty() && rule.kind != ValueKind::kText) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is empty"));
  }
  const std::string wanted = Wanted(value, rule);
  if (!wanted.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " is '", value, "' and must be ", wanted));
  }
  if (rule.kind != ValueKind::kAddress) return absl::OkStatus();
  const bool may_be_several = name == "--server";
  return AboutFlag(name, may_be_several ? CheckPeerAddresses(value) : CheckPeerAddress(value));
}

}  // namespace

std::string NearestWord(const std::string& word, const std::vector<std::string>& words) {
  constexpr size_t kCutMin = 3;
  const std::string closest = ClosestWord(word, words);
  if (!closest.empty() || word.size() < kCutMin) return closest;
  const auto begun = std::find_if(words.begin(), words.end(), [&](const std::string& each) {
    return absl::StartsWith(each, word);
  });
  return begun == words.end() ? "" : *begun;
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& words) {
  const std::string nearest = NearestWord(word, words);
  return nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?");
}

absl::Status CheckOption(const OptionSpec& option, std::vector<std::string>* values) {
  if (values->size() > 1 && !option.repeated) {
    return absl::InvalidArgumentError(absl::StrCat("--", option.name, " is given ", values->size(),
                                                   " times but may be given only once"));
  }
  for (std::string& value : *values) {
    // States are upper case everywhere, but people type them in any case.
    if (option.name == "state") value = absl::AsciiStrToUpper(value);
    const absl::Status status =
        CheckValue(absl::StrCat("--", option.name), value,
                   {option.kind, option.choices, option.least, option.most});
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckArgument(const ArgumentSpec& argument, const std::vector<std::string>& values) {
  if (values.empty() && argument.required) {
    return absl::InvalidArgumentError(absl::StrCat(argument.name, " is missing: ", argument.help));
  }
  for (const std::string& value : values) {
    const absl::Status status = CheckValue(
        argument.name, value, {argument.kind, argument.choices, argument.least, argument.most});
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace fpo::ctl
