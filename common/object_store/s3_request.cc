#include "common/object_store/s3_request.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace fpo {
namespace {

constexpr size_t kHeaderBytesMax = 64 << 10;
constexpr size_t kIdleMax = 16;

// One request in progress, as libcurl's callbacks see it.
struct S3Call {
  const S3Request& request;
  int64_t body_bytes_max;
  CURL* handle = nullptr;
  S3Response response = {};
  size_t header_bytes = 0;
  int64_t sent = 0;
  absl::Status failure = {};  // of a callback
  curl_slist* headers = nullptr;
  char message[CURL_ERROR_SIZE] = "";

  S3Call(const S3Request& r, int64_t most) : request(r), body_bytes_max(most) {}
  S3Call(const S3Call&) = delete;
  S3Call& operator=(const S3Call&) = delete;
  ~S3Call() { curl_slist_free_all(headers); }

  bool is_success() const {
    long status = 0;  // libcurl's own type
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
  }
};

size_t TakeBody(char* bytes, size_t size, size_t count, void* user) {
  auto* call = static_cast<S3Call*>(user);
  const absl::string_view piece(bytes, size * count);
  if (call->request.sink && call->is_success()) {
    call->failure = call->request.sink(piece);
  } else if (static_cast<int64_t>(call->response.body.size() + piece.size()) >
             call->body_bytes_max) {
    call->failure = absl::ResourceExhaustedError(
        absl::StrCat("the response is longer than ", call->body_bytes_max, " bytes"));
  } else {
    call->response.body.append(piece.data(), piece.size());
  }
  return call->failure.ok() ? piece.size() : 0;
}

size_t TakeHeader(char* bytes, size_t size, size_t count, void* user) {
  auto* call = static_cast<S3Call*>(user);
  const absl::string_view line(bytes, size * count);
  call->header_bytes += line.size();
  if (call->header_bytes > kHeaderBytesMax) return 0;
  if (line.substr(0, 5) == "HTTP/") call->response.headers.clear();  // after a "100 Continue"
  const size_t colon = line.find(':');
  if (colon != absl::string_view::npos) {
    call->response.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return line.size();
}

size_t GiveBody(char* bytes, size_t size, size_t count, void* user) {
  auto* call = static_cast<S3Call*>(user);
  const S3Request& request = call->request;
  const size_t room = size * count;
  if (request.file < 0) {
    const absl::string_view rest = request.body.substr(static_cast<size_t>(call->sent), room);
    std::memcpy(bytes, rest.data(), rest.size());
    call->sent += static_cast<int64_t>(rest.size());
    return rest.size();
  }
  const auto wanted =
      std::min<int64_t>(static_cast<int64_t>(room), request.file_bytes - call->sent);
  if (wanted <= 0) return 0;
  const ssize_t got =
      pread(request.file, bytes, static_cast<size_t>(wanted), request.file_offset + call->sent);
  if (got <= 0) {
    call->failure = absl::DataLossError(
        got == 0 ? "the file became shorter while it was sent"
                 : absl::StrCat("the file cannot be read: ", std::strerror(errno)));
    return CURL_READFUNC_ABORT;
  }
  call->sent += got;
  return static_cast<size_t>(got);
}

// libcurl sends a body anew, for instance when a connection that it used again had been closed.
int SeekBody(void* user, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<S3Call*>(user)->sent = offset;
  return CURL_SEEKFUNC_OK;
}

absl::Status CallError(CURLcode code, const S3Call& call) {
  if (!call.failure.ok()) return call.failure;
  const std::string what = call.message[0] != '\0' ? call.message : curl_easy_strerror(code);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return absl::CancelledError("stopped");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return absl::InvalidArgumentError(what);
    default:
      return absl::UnavailableError(what);
  }
}

void SetBody(CURL* handle, const S3Request& request, S3Call* call) {
  if (request.method == "GET") return;
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (request.method == "DELETE") {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "DELETE");
  } else if (request.method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  } else {
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, &GiveBody);
    curl_easy_setopt(handle, CURLOPT_READDATA, call);
    curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, &SeekBody);
    curl_easy_setopt(handle, CURLOPT_SEEKDATA, call);
    curl_easy_setopt(
        handle, CURLOPT_INFILESIZE_LARGE,
        static_cast<curl_off_t>(request.file < 0 ? static_cast<int64_t>(request.body.size())
                                                 : request.file_bytes));
  }
}

}  // namespace

struct S3Connections::State {
  explicit State(Options o) : options(std::move(o)) {}

  const Options options;
  absl::Mutex mutex;
  // Handles to use again, each with its open connection.
  std::vector<CURL*> idle ABSL_GUARDED_BY(mutex);

  CURL* Take();
  void GiveBack(CURL* handle);
  void Configure(S3Call* call, const S3Credentials& credentials) const;
};

CURL* S3Connections::State::Take() {
  absl::MutexLock lock(&mutex);
  if (idle.empty()) return curl_easy_init();
  CURL* const handle = idle.back();
  idle.pop_back();
  curl_easy_reset(handle);
  return handle;
}

void S3Connections::State::GiveBack(CURL* handle) {
  absl::MutexLock lock(&mutex);
  if (idle.size() < kIdleMax) {
    curl_easy_reset(handle);  // forgets the credentials
    idle.push_back(handle);
  } else {
    curl_easy_cleanup(handle);
  }
}

// libcurl 7.88 signs the query as it is given, and every header of the list: none may be there that
// is not sent, as an empty one.
void S3Connections::State::Configure(S3Call* call, const S3Credentials& credentials) const {
  CURL* const handle = call->handle;
  const S3Request& request = call->request;
  std::string url = absl::StrCat(options.endpoint, request.path);
  if (!request.query.empty()) absl::StrAppend(&url, "?", request.query);
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_AWS_SIGV4,
                   absl::StrCat("aws:amz:", options.region, ":s3").c_str());
  curl_easy_setopt(handle, CURLOPT_USERNAME, credentials.key_id.c_str());
  curl_easy_setopt(handle, CURLOPT_PASSWORD, credentials.secret.c_str());
  const auto add = [&](const std::string& header) {
    call->headers = curl_slist_append(call->headers, header.c_str());
  };
  add(absl::StrCat("x-amz-content-sha256: ", request.body_sha256));
  if (!credentials.session_token.empty()) {
    add(absl::StrCat("x-amz-security-token: ", credentials.session_token));
  }
  for (const std::string& header : request.headers) add(header);
  if (request.method == "POST") add("Content-Type: application/xml");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, call->headers);
  SetBody(handle, request, call);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &TakeBody);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, call);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &TakeHeader);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, call);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(
      handle, CURLOPT_XFERINFOFUNCTION,
      +[](void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<S3Call*>(user)->request.stop.stop_requested() ? 1 : 0;
      });
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, call);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, call->message);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(options.connect_timeout)));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(absl::ToInt64Seconds(options.silence)));
  if (!options.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, options.ca_file.c_str());
}

S3Connections::S3Connections(Options options)
    : state_(std::make_unique<State>(std::move(options))) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

S3Connections::~S3Connections() {
  absl::MutexLock lock(&state_->mutex);
  for (CURL* handle : state_->idle) curl_easy_cleanup(handle);
}

absl::StatusOr<S3Response> S3Connections::Call(const S3Request& request,
                                               const S3Credentials& credentials) {
  S3Call call(request, state_->options.body_bytes_max);
  call.handle = state_->Take();
  if (call.handle == nullptr) return absl::UnavailableError("libcurl has no more handles");
  state_->Configure(&call, credentials);
  const CURLcode code = curl_easy_perform(call.handle);
  long status = 0;
  curl_easy_getinfo(call.handle, CURLINFO_RESPONSE_CODE, &status);
  call.response.status = static_cast<int>(status);
  state_->GiveBack(call.handle);
  if (code != CURLE_OK) return CallError(code, call);
  return std::move(call.response);
}

}  // namespace fpo
