#include "common/http/http_transfers.h"

#include <curl/curl.h>

#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace fpo {
namespace {

struct HttpTransfer {
  size_t id = 0;
  std::string body;
  std::string response;
  int64_t response_bytes_max = 0;
  bool is_too_long = false;
  curl_slist* headers = nullptr;
  char message[CURL_ERROR_SIZE] = "";

  HttpTransfer() = default;
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;
  ~HttpTransfer() { curl_slist_free_all(headers); }
};

size_t TakeBytes(char* bytes, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<HttpTransfer*>(user);
  if (static_cast<int64_t>(transfer->response.size() + size * count) >
      transfer->response_bytes_max) {
    transfer->is_too_long = true;
    return 0;  // ends the transfer
  }
  transfer->response.append(bytes, size * count);
  return size * count;
}

absl::Status TransferError(CURLcode code, const HttpTransfer& transfer) {
  const std::string what =
      transfer.message[0] != '\0' ? transfer.message : curl_easy_strerror(code);
  if (transfer.is_too_long) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the response is longer than ", transfer.response_bytes_max, " bytes"));
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(what);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return absl::InvalidArgumentError(what);
    default:
      return absl::UnavailableError(what);
  }
}

absl::StatusOr<HttpResponse> ResponseOfTransfer(CURL* handle, CURLcode code,
                                                HttpTransfer* transfer) {
  if (code != CURLE_OK) return TransferError(code, *transfer);
  HttpResponse response;
  long status = 0;  // libcurl's own type
  curl_off_t seconds = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
  response.status = static_cast<int>(status);
  response.retry_after = absl::Seconds(static_cast<int64_t>(seconds));
  response.body = std::move(transfer->response);
  return response;
}

void InitialiseOnce() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

struct HttpTransfers::State {
  Options options;
  CURLM* multi = nullptr;
  std::map<CURL*, std::unique_ptr<HttpTransfer>> transfers;
  std::vector<CURL*> idle;  // handles to use again, which keep their TLS sessions

  void Configure(CURL* handle, HttpTransfer* transfer, const std::string& url) const;
  Done Take(CURL* handle, CURLcode code);
};

HttpTransfers::HttpTransfers(const Options& options) : state_(std::make_unique<State>()) {
  InitialiseOnce();
  state_->options = options;
  state_->multi = curl_multi_init();
}

HttpTransfers::~HttpTransfers() {
  for (const auto& [handle, transfer] : state_->transfers) {
    curl_multi_remove_handle(state_->multi, handle);
    curl_easy_cleanup(handle);
  }
  for (CURL* handle : state_->idle) curl_easy_cleanup(handle);
  curl_multi_cleanup(state_->multi);
}

void HttpTransfers::State::Configure(CURL* handle, HttpTransfer* transfer,
                                     const std::string& url) const {
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, transfer->body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(transfer->body.size()));
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &TakeBytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer->message);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(options.timeout)));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  if (!options.ca_file.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, options.ca_file.c_str());
  }
}

void HttpTransfers::Start(size_t id, const HttpRequest& request) {
  auto transfer = std::make_unique<HttpTransfer>();
  transfer->id = id;
  transfer->body = request.body;
  transfer->response_bytes_max = state_->options.response_bytes_max;
  for (const std::string& header : request.headers) {
    transfer->headers = curl_slist_append(transfer->headers, header.c_str());
  }
  CURL* handle = nullptr;
  if (state_->idle.empty()) {
    handle = curl_easy_init();
  } else {
    handle = state_->idle.back();
    state_->idle.pop_back();
  }
  state_->Configure(handle, transfer.get(), request.url);
  state_->transfers[handle] = std::move(transfer);
  curl_multi_add_handle(state_->multi, handle);
}

size_t HttpTransfers::in_progress() const { return state_->transfers.size(); }

HttpTransfers::Done HttpTransfers::State::Take(CURL* handle, CURLcode code) {
  const auto entry = transfers.find(handle);
  Done done{entry->second->id, ResponseOfTransfer(handle, code, entry->second.get())};
  curl_multi_remove_handle(multi, handle);
  transfers.erase(entry);
  idle.push_back(handle);
  return done;
}

std::vector<HttpTransfers::Done> HttpTransfers::Wait(absl::Duration most) {
  const absl::Time end = absl::Now() + most;
  std::vector<Done> done;
  while (done.empty()) {
    int running = 0, left = 0;
    curl_multi_perform(state_->multi, &running);
    while (const CURLMsg* message = curl_multi_info_read(state_->multi, &left)) {
      if (message->msg == CURLMSG_DONE) {
        done.push_back(state_->Take(message->easy_handle, message->data.result));
      }
    }
    const absl::Duration rest = end - absl::Now();
    if (!done.empty() || rest <= absl::ZeroDuration()) break;
    // Returns early when a socket is ready; without a transfer it is the wait itself.
    curl_multi_poll(state_->multi, nullptr, 0,
                    static_cast<int>(absl::ToInt64Milliseconds(rest) + 1), nullptr);
  }
  return done;
}

}  // namespace fpo
