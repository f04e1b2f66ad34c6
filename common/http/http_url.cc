#include "common/http/http_url.h"

#include <curl/curl.h>

#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fpo {
namespace {

// A URL as libcurl reads it, which is what it will connect to.
class HttpUrl {
 public:
  explicit HttpUrl(const std::string& text) : handle_(curl_url(), &curl_url_cleanup) {
    is_valid_ = handle_ != nullptr &&
                curl_url_set(handle_.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  }

  bool is_valid() const { return is_valid_; }

  std::optional<std::string> Part(CURLUPart part) const {
    char* text = nullptr;
    if (!is_valid_ || curl_url_get(handle_.get(), part, &text, 0) != CURLUE_OK) return std::nullopt;
    std::string result = text;
    curl_free(text);
    return result;
  }

 private:
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle_;
  bool is_valid_ = false;
};

// libcurl has made numbers of the other notations (127.1, 0x7f000001) by now, and never asks a name
// server for localhost.
bool IsThisHost(const std::string& host) {
  const std::string name = absl::AsciiStrToLower(host);
  const bool numbers = name.find_first_not_of("0123456789.") == std::string::npos;
  return name == "localhost" || name == "[::1]" || (numbers && absl::StartsWith(name, "127."));
}

}  // namespace

absl::Status CheckHttpUrl(const std::string& url, bool allow_plain) {
  const HttpUrl read(url);
  const std::string scheme = read.Part(CURLUPART_SCHEME).value_or("");
  if (!read.is_valid() || (scheme != "http" && scheme != "https")) {
    return absl::InvalidArgumentError("is no http:// or https:// URL");
  }
  if (read.Part(CURLUPART_USER).has_value() || read.Part(CURLUPART_PASSWORD).has_value()) {
    return absl::InvalidArgumentError("has a user name or a password in it: leave them out");
  }
  const std::string host = read.Part(CURLUPART_HOST).value_or("");
  if (scheme == "http" && !allow_plain && !IsThisHost(host)) {
    return absl::InvalidArgumentError(
        absl::StrCat("would send to ", host, " unencrypted: use https"));
  }
  return absl::OkStatus();
}

std::string HttpOrigin(const std::string& url) {
  const HttpUrl read(url);
  if (!read.is_valid()) return "(no URL)";
  const std::optional<std::string> port = read.Part(CURLUPART_PORT);
  return absl::StrCat(read.Part(CURLUPART_SCHEME).value_or(""), "://",
                      read.Part(CURLUPART_HOST).value_or(""), port.has_value() ? ":" : "",
                      port.value_or(""));
}

}  // namespace fpo
