#include "common/observe/http_server.h"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/files/file_descriptor.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr unsigned kThreads = 4;  // one slow handler, such as a long series, delays no probe
constexpr unsigned kConnectionsMax = 1024;
constexpr unsigned kSilentSeconds = 10;
constexpr absl::Duration kAnswerTime = absl::Seconds(30);
constexpr size_t kHeadBytesMax = 16 << 10;  // request line and headers, and one block of a response
constexpr size_t kBlockBytes = 4 << 10;

absl::Status ErrnoStatus(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

absl::StatusOr<FileDescriptor> Listen(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", host, ":", port, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  FileDescriptor fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (fd.get() < 0 || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), 256) != 0) {
    return ErrnoStatus(absl::StrCat("cannot listen on ", host, ":", port));
  }
  return fd;
}

absl::StatusOr<int> PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  char port[8] = "";
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&address), size, nullptr, 0, port, sizeof(port),
                  NI_NUMERICSERV) != 0) {
    return ErrnoStatus("cannot read the port of the HTTP listener");
  }
  return std::stoi(port);
}

struct Routes {
  HttpRoutes plain;
  HttpQueryRoutes query;
  HttpCallRoutes calls;
};

std::string PathOf(absl::string_view target) {
  return std::string(target.substr(0, target.find('?')));
}

std::string QueryOf(absl::string_view target) {
  const size_t mark = target.find('?');
  return mark == absl::string_view::npos ? "" : std::string(target.substr(mark + 1));
}

HttpReply Route(const Routes& routes, absl::string_view method, absl::string_view target) {
  if (method != "GET" && method != "HEAD") return {.status = 405, .body = "only GET\n"};
  const std::string path = PathOf(target);
  const auto route = routes.plain.find(path);
  if (route != routes.plain.end()) return route->second();
  const auto query_route = routes.query.find(path);
  if (query_route != routes.query.end()) return query_route->second(QueryOf(target));
  std::string known = "not found; there is:";
  for (const auto& [each, answer] : routes.plain) absl::StrAppend(&known, " ", each);
  return {.status = 404, .body = known + "\n"};
}

// A response body being sent to one peer, in small blocks, so that its deadline is checked however
// slowly the peer reads.
struct Answer {
  std::string body;
  absl::Time deadline;
};

ssize_t NextBlock(void* answer_pointer, uint64_t position, char* block, size_t block_size) {
  const auto* answer = static_cast<const Answer*>(answer_pointer);
  if (BootNow() > answer->deadline) return MHD_CONTENT_READER_END_WITH_ERROR;
  return static_cast<ssize_t>(answer->body.copy(block, block_size, position));
}

void DeleteAnswer(void* answer) { delete static_cast<Answer*>(answer); }

// One request, which libmicrohttpd keeps as the context of its connection from the first line of
// its head on. Used by the connection's thread, `reply` while it is suspended by another.
struct Request {
  std::string target = {};  // query included
  bool is_admitted = false;
  std::string body = {};
  std::optional<HttpReply> reply = {};
  bool was_suspended = false;
};

void* BeginRequest(void* /*state*/, const char* uri, MHD_Connection* /*connection*/) {
  return new Request{.target = uri};
}

std::optional<std::string> Header(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string PeerOf(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr) return "";
  const sockaddr* address = info->client_addr;
  const socklen_t size =
      address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  char host[NI_MAXHOST] = "";
  const int error = getnameinfo(address, size, host, sizeof(host), nullptr, 0, NI_NUMERICHOST);
  return error == 0 ? host : "";
}

HttpHead HeadOf(MHD_Connection* connection, const char* method) {
  return {.method = method,
          .peer = PeerOf(connection),
          .host = Header(connection, "Host"),
          .origin = Header(connection, "Origin"),
          .fetch_site = Header(connection, "Sec-Fetch-Site"),
          .content_type = Header(connection, "Content-Type"),
          .length = Header(connection, "Content-Length"),
          .authorization = Header(connection, "Authorization"),
          .has_mark = Header(connection, "X-FPO-Page").has_value()};
}

MHD_Result Send(MHD_Connection* connection, HttpReply reply) {
  const uint64_t size = reply.body.size();
  auto answer = std::make_unique<Answer>(Answer{std::move(reply.body), BootNow() + kAnswerTime});
  MHD_Response* response =
      MHD_create_response_from_callback(size, kBlockBytes, NextBlock, answer.get(), DeleteAnswer);
  if (response == nullptr) return MHD_NO;
  (void)answer.release();
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.content_type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  if (!reply.policy.empty()) {
    MHD_add_response_header(response, "Content-Security-Policy", reply.policy.c_str());
  }
  const MHD_Result queued =
      MHD_queue_response(connection, static_cast<unsigned>(reply.status), response);
  MHD_destroy_response(response);
  return queued;
}

// Drops libmicrohttpd's messages about peers that disconnect.
void Discard(void* /*context*/, const char* /*format*/, va_list /*arguments*/) {}

}  // namespace

struct HttpServer::State {
  Routes routes;
  bool is_local = false;  // listens on loopback
  std::string host;
  int port = 0;
  MHD_Daemon* daemon = nullptr;

  absl::Mutex mutex;
  bool is_ending ABSL_GUARDED_BY(mutex) = false;
  int replies_to_come ABSL_GUARDED_BY(mutex) = 0;  // their connections are suspended
  int replies_to_send ABSL_GUARDED_BY(mutex) = 0;  // those, and what came but was not sent yet

  ~State() {
    if (daemon == nullptr) return;
    {
      absl::MutexLock lock(&mutex);
      is_ending = true;
      const auto is_done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
        return replies_to_come == 0 && replies_to_send == 0;
      };
      mutex.Await(absl::Condition(&is_done));
    }
    MHD_stop_daemon(daemon);
  }

  // Has the call answered and its connection wait, without a thread, until the reply is there.
  MHD_Result Run(const HttpCallRoute& route, HttpCall call, MHD_Connection* connection,
                 Request* request) {
    bool ends = false;
    {
      absl::MutexLock lock(&mutex);
      ends = is_ending;
      if (!ends) {
        ++replies_to_come;
        ++replies_to_send;
      }
    }
    if (ends) return Send(connection, {.status = 503, .body = "shutting down\n"});
    request->was_suspended = true;
    MHD_suspend_connection(connection);
    route.answer(std::move(call), [this, connection, request](HttpReply reply) {
      request->reply = std::move(reply);
      MHD_resume_connection(connection);  // the connection's thread goes on with Respond
      absl::MutexLock lock(&mutex);
      --replies_to_come;
    });
    return MHD_YES;
  }

  static void EndRequest(void* state, MHD_Connection* /*connection*/, void** context,
                         MHD_RequestTerminationCode /*how*/) {
    const std::unique_ptr<Request> request(static_cast<Request*>(*context));
    *context = nullptr;
    if (request == nullptr || !request->was_suspended) return;
    auto& self = *static_cast<State*>(state);
    absl::MutexLock lock(&self.mutex);
    --self.replies_to_send;
  }

  // The signature is libmicrohttpd's, which calls this at the end of a request's head, for each
  // piece of its body, after that, and when its connection is resumed.
  static MHD_Result Respond(void* state, MHD_Connection* connection, const char* /*path*/,
                            const char* method, const char* /*version*/, const char* upload,
                            size_t* upload_size, void** context) {
    auto& self = *static_cast<State*>(state);
    auto& request = *static_cast<Request*>(*context);
    if (request.reply) return Send(connection, *std::move(request.reply));
    const auto route = self.routes.calls.find(PathOf(request.target));
    if (*upload_size != 0) {
      if (!request.is_admitted || request.body.size() + *upload_size > kHttpBodyBytesMax) {
        return MHD_NO;
      }
      request.body.append(upload, *upload_size);
      *upload_size = 0;
      return MHD_YES;
    }
    if (request.is_admitted) {
      HttpCall call{.query = QueryOf(request.target),
                    .body = std::move(request.body),
                    .token = TokenOf(HeadOf(connection, method))};
      return self.Run(route->second, std::move(call), connection, &request);
    }
    const std::optional<std::string> host = Header(connection, "Host");
    // A name of theirs that suddenly means this machine (DNS rebinding) would let any web page read
    // what only those on this machine may.
    if (self.is_local && host && !IsNumericOrLocalHost(*host)) {
      return Send(connection, {.status = 421, .body = "ask for localhost or a number\n"});
    }
    if (route == self.routes.calls.end()) {
      return Send(connection, Route(self.routes, method, request.target));
    }
    if (absl::string_view(method) != (route->second.is_post ? "POST" : "GET")) {
      return Send(connection,
                  {.status = 405, .body = route->second.is_post ? "only POST\n" : "only GET\n"});
    }
    std::optional<HttpReply> refusal = RefusalOf(HeadOf(connection, method));
    if (refusal) return Send(connection, *std::move(refusal));
    request.is_admitted = true;
    return MHD_YES;
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              HttpRoutes routes,
                                                              HttpQueryRoutes query_routes,
                                                              HttpCallRoutes call_routes) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not host:port"));
  }
  auto state = std::make_unique<State>();
  state->host = address.substr(0, colon);
  std::string name = state->host;
  if (name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  FPO_ASSIGN_OR_RETURN(FileDescriptor listener, Listen(name, address.substr(colon + 1)));
  FPO_ASSIGN_OR_RETURN(state->port, PortOf(listener.get()));
  state->is_local = name == "localhost" || name == "::1" || name.rfind("127.", 0) == 0;
  state->routes = {std::move(routes), std::move(query_routes), std::move(call_routes)};
  state->daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, State::Respond,
      state.get(), MHD_OPTION_EXTERNAL_LOGGER, Discard, nullptr, MHD_OPTION_LISTEN_SOCKET,
      listener.get(), MHD_OPTION_THREAD_POOL_SIZE, kThreads, MHD_OPTION_CONNECTION_LIMIT,
      kConnectionsMax, MHD_OPTION_CONNECTION_TIMEOUT, kSilentSeconds,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kHeadBytesMax, MHD_OPTION_URI_LOG_CALLBACK, BeginRequest,
      nullptr, MHD_OPTION_NOTIFY_COMPLETED, State::EndRequest, state.get(), MHD_OPTION_END);
  if (state->daemon == nullptr) {
    return absl::UnavailableError(absl::StrCat("cannot serve HTTP on ", address));
  }
  (void)listener.Release();  // the daemon closes it
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return state_->port; }
std::string HttpServer::address() const { return absl::StrCat(state_->host, ":", state_->port); }

}  // namespace fpo
