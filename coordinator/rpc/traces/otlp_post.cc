#include "coordinator/rpc/traces/otlp_post.h"

#include <curl/curl.h>

#include <algorithm>

#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kResponseBytesMax = 64 << 10;

size_t TakeBytes(char* bytes, size_t size, size_t count, void* user) {
  auto* response = static_cast<std::string*>(user);
  const size_t room = kResponseBytesMax - response->size();
  response->append(bytes, std::min(size * count, room));
  return size * count;  // the rest is of no interest
}

absl::Status StatusOfHttp(long code) {
  if (code >= 200 && code < 300) return absl::OkStatus();
  const std::string text = absl::StrCat("the collector answers with HTTP ", code);
  const bool later = code == 429 || code == 502 || code == 503 || code == 504;
  return later ? absl::UnavailableError(text) : absl::InvalidArgumentError(text);
}

absl::Status StatusOfCurl(CURLcode code, const char* message) {
  const std::string text = message[0] != '\0' ? message : curl_easy_strerror(code);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return absl::CancelledError(text);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CACERT_BADFILE:
      return absl::InvalidArgumentError(text);
    default:
      return absl::UnavailableError(text);
  }
}

using CurlHandle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using CurlHeaders = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

CurlHeaders HeadersOf(const OtlpSettings& settings) {
  CurlHeaders headers(curl_slist_append(nullptr, "Content-Type: application/x-protobuf"),
                      &curl_slist_free_all);
  const auto append = [&](const std::string& line) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) return;
    (void)headers.release();
    headers.reset(longer);
  };
  append("Expect:");  // no wait for permission to send the body
  for (const auto& [name, value] : settings.headers) append(absl::StrCat(name, ": ", value));
  return headers;
}

}  // namespace

absl::StatusOr<std::string> OtlpPost::Send(const std::string& body,
                                           const std::stop_token& stop) const {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const CurlHandle handle(curl_easy_init(), &curl_easy_cleanup);
  if (handle == nullptr) return absl::UnavailableError("libcurl cannot be used");
  const CurlHeaders headers = HeadersOf(settings_);
  std::string response;
  char message[CURL_ERROR_SIZE] = "";
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, settings_.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &TakeBytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &response);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(settings_.timeout)));
  const auto end_if_stopped = [](void* user, auto...) {
    return static_cast<const std::stop_token*>(user)->stop_requested() ? 1 : 0;
  };
  using Ended = int (*)(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, static_cast<Ended>(end_if_stopped));
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stop);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (!settings_.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, settings_.ca_file.c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) return StatusOfCurl(code, message);
  long status = 0;  // libcurl's own type
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (absl::Status problem = StatusOfHttp(status); !problem.ok()) return problem;
  return response;
}

}  // namespace fpo::coordinator
