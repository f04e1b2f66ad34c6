#include "common/observe/http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
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
};

// An address in numbers, or localhost: what a page of another site cannot have in its own URL.
bool IsNumericOrLocal(absl::string_view host) {
  const size_t bracket = host.find(']');
  const size_t colon = bracket == absl::string_view::npos ? host.rfind(':') : bracket + 1;
  std::string name(host.substr(0, colon));
  if (name == "localhost") return true;
  in6_addr bytes{};
  if (inet_pton(AF_INET, name.c_str(), &bytes) == 1) return true;
  if (name.size() < 2 || name.front() != '[' || name.back() != ']') return false;
  return inet_pton(AF_INET6, name.substr(1, name.size() - 2).c_str(), &bytes) == 1;
}

HttpReply Route(const Routes& routes, absl::string_view method, absl::string_view target) {
  if (method != "GET" && method != "HEAD") return {.status = 405, .body = "only GET\n"};
  const size_t mark = target.find('?');
  const std::string path(target.substr(0, mark));
  const auto route = routes.plain.find(path);
  if (route != routes.plain.end()) return route->second();
  const auto query_route = routes.query.find(path);
  if (query_route != routes.query.end()) {
    const bool has_query = mark != absl::string_view::npos;
    return query_route->second(has_query ? std::string(target.substr(mark + 1)) : "");
  }
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

// libmicrohttpd keeps the request's target, query included, as the context of its connection.
void* KeepTarget(void* /*routes*/, const char* uri, MHD_Connection* /*connection*/) {
  return new std::string(uri);
}

void ForgetTarget(void* /*routes*/, MHD_Connection* /*connection*/, void** target,
                  MHD_RequestTerminationCode /*how*/) {
  delete static_cast<std::string*>(*target);
  *target = nullptr;
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

  ~State() {
    if (daemon != nullptr) MHD_stop_daemon(daemon);
  }

  // The signature is libmicrohttpd's.
  static MHD_Result Respond(void* state, MHD_Connection* connection, const char* /*path*/,
                            const char* method, const char* /*version*/, const char* /*upload*/,
                            size_t* upload_size, void** target) {
    if (*upload_size != 0) return MHD_NO;  // no handler takes a body
    const auto& self = *static_cast<const State*>(state);
    const char* host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    // A name of theirs that suddenly means this machine (DNS rebinding) would let any web page read
    // what only those on this machine may.
    const bool foreign = self.is_local && host != nullptr && !IsNumericOrLocal(host);
    HttpReply reply = foreign ? HttpReply{.status = 421, .body = "ask for localhost or a number\n"}
                              : Route(self.routes, method, *static_cast<std::string*>(*target));
    const uint64_t size = reply.body.size();
    auto answer = std::make_unique<Answer>(Answer{std::move(reply.body), BootNow() + kAnswerTime});
    MHD_Response* response =
        MHD_create_response_from_callback(size, kBlockBytes, NextBlock, answer.get(), DeleteAnswer);
    if (response == nullptr) return MHD_NO;
    (void)answer.release();
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.content_type.c_str());
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    const MHD_Result queued =
        MHD_queue_response(connection, static_cast<unsigned>(reply.status), response);
    MHD_destroy_response(response);
    return queued;
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              HttpRoutes routes,
                                                              HttpQueryRoutes query_routes) {
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
  state->routes = {std::move(routes), std::move(query_routes)};
  state->daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD, 0, nullptr, nullptr, State::Respond, state.get(),
      MHD_OPTION_EXTERNAL_LOGGER, Discard, nullptr, MHD_OPTION_LISTEN_SOCKET, listener.get(),
      MHD_OPTION_THREAD_POOL_SIZE, kThreads, MHD_OPTION_CONNECTION_LIMIT, kConnectionsMax,
      MHD_OPTION_CONNECTION_TIMEOUT, kSilentSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      kHeadBytesMax, MHD_OPTION_URI_LOG_CALLBACK, KeepTarget, nullptr, MHD_OPTION_NOTIFY_COMPLETED,
      ForgetTarget, nullptr, MHD_OPTION_END);
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
