#include "coordinator/rpc/traces/otlp_settings.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

// A variable that is set to nothing counts as unset.
class OtlpVariables {
 public:
  using Read = std::function<std::optional<std::string>(const std::string& name)>;
  explicit OtlpVariables(const Read& read) : read_(read) {}

  std::string Get(const std::string& name) const {
    return std::string(absl::StripAsciiWhitespace(read_(name).value_or("")));
  }
  struct Named {
    std::string name;
    std::string value;  // empty: not set
  };
  // Of the two, the one for traces comes first.
  Named OfTraces(const std::string& what) const {
    const std::string own = absl::StrCat("OTEL_EXPORTER_OTLP_TRACES_", what);
    if (std::string value = Get(own); !value.empty()) return {own, std::move(value)};
    const std::string all = absl::StrCat("OTEL_EXPORTER_OTLP_", what);
    return {all, Get(all)};
  }

 private:
  const Read& read_;
};

absl::Status Wrong(const std::string& name, const std::string& allowed) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", allowed));
}

// "%20" and the like; nothing for a malformed one, or one that hides a control character.
std::optional<std::string> Decoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    int byte = 0;
    for (const char digit : text.substr(i + 1, 2)) {
      if (!absl::ascii_isxdigit(digit)) return std::nullopt;
      const char low = absl::ascii_tolower(digit);
      byte = 16 * byte + (low <= '9' ? low - '0' : low - 'a' + 10);
    }
    if (text.size() - i < 3) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  if (std::any_of(decoded.begin(), decoded.end(), absl::ascii_iscntrl)) return std::nullopt;
  return decoded;
}

absl::StatusOr<std::map<std::string, std::string>> ReadList(const OtlpVariables::Named& from) {
  std::map<std::string, std::string> list;
  for (absl::string_view entry : absl::StrSplit(from.value, ',', absl::SkipWhitespace())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(entry, absl::MaxSplits('=', 1));
    const auto key = Decoded(absl::StripAsciiWhitespace(parts.first));
    const auto value = Decoded(absl::StripAsciiWhitespace(parts.second));
    if (!key || key->empty() || !value || !absl::StrContains(entry, '=') ||
        absl::StrContains(*key, ':')) {
      return Wrong(from.name, "allowed: NAME=VALUE,NAME=VALUE, other characters as %20");
    }
    list[*key] = *value;
  }
  return list;
}

absl::StatusOr<std::string> ReadUrl(const OtlpVariables& variables) {
  OtlpVariables::Named endpoint = variables.OfTraces("ENDPOINT");
  std::string url = endpoint.value;
  if (url.empty()) return url;
  const bool is_http = absl::StartsWith(url, "http://") || absl::StartsWith(url, "https://");
  const absl::string_view rest = absl::string_view(url).substr(is_http ? url.find("//") + 2 : 0);
  const absl::string_view host = rest.substr(0, rest.find_first_of("/?#"));
  if (!is_http || host.empty()) {
    return Wrong(endpoint.name, "allowed: http://HOST:4318 or https://HOST");
  }
  if (absl::StrContains(host, '@')) {
    return Wrong(endpoint.name, "has credentials; give them in OTEL_EXPORTER_OTLP_HEADERS");
  }
  if (std::any_of(url.begin(), url.end(), absl::ascii_iscntrl)) {
    return Wrong(endpoint.name, "has a control character");
  }
  if (endpoint.name == "OTEL_EXPORTER_OTLP_ENDPOINT") {
    url = absl::StrCat(absl::StripSuffix(url, "/"), "/v1/traces");
  }
  return url;
}

absl::Status CheckProtocol(const OtlpVariables& variables) {
  const OtlpVariables::Named protocol = variables.OfTraces("PROTOCOL");
  if (!protocol.value.empty() && protocol.value != "http/protobuf") {
    return Wrong(protocol.name, "allowed: http/protobuf, which collectors take at port 4318");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OtlpSettings> ReadOtlpSettings(
    const std::function<std::optional<std::string>(const std::string& name)>& variable) {
  const OtlpVariables variables(variable);
  OtlpSettings settings;
  const std::string exporter = variables.Get("OTEL_TRACES_EXPORTER");
  if (exporter == "none") return settings;
  if (absl::AsciiStrToLower(variables.Get("OTEL_SDK_DISABLED")) == "true") return settings;
  FPO_ASSIGN_OR_RETURN(settings.url, ReadUrl(variables));
  if (settings.url.empty()) return settings;
  if (!exporter.empty() && exporter != "otlp") {
    return Wrong("OTEL_TRACES_EXPORTER", "allowed: otlp, none");
  }
  FPO_RETURN_IF_ERROR(CheckProtocol(variables));
  FPO_ASSIGN_OR_RETURN(settings.headers, ReadList(variables.OfTraces("HEADERS")));
  FPO_ASSIGN_OR_RETURN(settings.resource, ReadList({"OTEL_RESOURCE_ATTRIBUTES",
                                                    variables.Get("OTEL_RESOURCE_ATTRIBUTES")}));
  const std::string name = variables.Get("OTEL_SERVICE_NAME");
  if (!name.empty()) settings.resource["service.name"] = name;
  settings.resource.emplace("service.name", "fpo-coordinator");
  settings.ca_file = variables.OfTraces("CERTIFICATE").value;
  const OtlpVariables::Named timeout = variables.OfTraces("TIMEOUT");
  if (!timeout.value.empty()) {
    int64_t milliseconds = 0;
    if (!absl::SimpleAtoi(timeout.value, &milliseconds) || milliseconds < 1 ||
        milliseconds > 600'000) {
      return Wrong(timeout.name, "allowed: from 1 to 600000 milliseconds");
    }
    settings.timeout = absl::Milliseconds(milliseconds);
  }
  return settings;
}

}  // namespace fpo::coordinator
