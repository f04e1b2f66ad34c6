#include "coordinator/rpc/traces/otlp_post.h"

#include "absl/strings/str_cat.h"
#include "common/http/http_post.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

constexpr int64_t kResponseBytesMax = 64 << 10;

absl::Status StatusOfHttp(int code) {
  if (code >= 200 && code < 300) return absl::OkStatus();
  const std::string text = absl::StrCat("the collector answers with HTTP ", code);
  const bool later = code == 429 || code == 502 || code == 503 || code == 504;
  return later ? absl::UnavailableError(text) : absl::InvalidArgumentError(text);
}

}  // namespace

absl::StatusOr<std::string> OtlpPost::Send(const std::string& body,
                                           const std::stop_token& stop) const {
  HttpRequest request{settings_.url, {"Content-Type: application/x-protobuf"}, body};
  for (const auto& [name, value] : settings_.headers) {
    request.headers.push_back(absl::StrCat(name, ": ", value));
  }
  HttpTransfers::Options options;
  options.timeout = settings_.timeout;
  options.response_bytes_max = kResponseBytesMax;
  options.ca_file = settings_.ca_file;
  absl::StatusOr<HttpResponse> response = PostHttp(request, options, stop);
  if (absl::IsDeadlineExceeded(response.status())) {
    return absl::UnavailableError(response.status().message());
  }
  FPO_RETURN_IF_ERROR(response.status());
  FPO_RETURN_IF_ERROR(StatusOfHttp(response->status));
  return std::move(response->body);
}

}  // namespace fpo::coordinator
