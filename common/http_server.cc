#include "common/http_server.h"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr size_t kRequestBytesMax = 8192;
constexpr absl::Duration kRequestTime = absl::Seconds(2);
constexpr absl::Duration kSilentTime = absl::Seconds(10);  // to the first byte
constexpr size_t kPeersMax = 64;

// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status ErrnoStatus(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

absl::StatusOr<Descriptor> Listen(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", host, ":", port, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  Descriptor fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd.get() < 0 || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), 64) != 0) {
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

// Up to the blank line; empty when the peer is too slow, sends too much or leaves.
std::string ReadRequest(int fd) {
  const absl::Time deadline = absl::Now() + kRequestTime;
  std::string request;
  while (!absl::StrContains(request, "\r\n\r\n")) {
    pollfd waiting{fd, POLLIN, 0};
    const int64_t left_ms = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left_ms <= 0 || poll(&waiting, 1, static_cast<int>(left_ms)) <= 0) return "";
    char buffer[1024];
    const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got <= 0 || request.size() + got > kRequestBytesMax) return "";
    request.append(buffer, got);
  }
  return request;
}

void SendAll(int fd, absl::string_view bytes) {
  const timeval limit{absl::ToInt64Seconds(kRequestTime), 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(sent);
  }
}

const char* ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

struct Routes {
  HttpRoutes plain;
  HttpQueryRoutes query;
};

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

void Serve(int fd, const Routes& routes) {
  const std::string request = ReadRequest(fd);
  const size_t method_end = request.find(' ');
  const size_t target_end = request.find(' ', method_end + 1);
  if (method_end == std::string::npos || target_end == std::string::npos) return;
  const std::string method = request.substr(0, method_end);
  const HttpReply reply =
      Route(routes, method, request.substr(method_end + 1, target_end - method_end - 1));
  std::string response =
      absl::StrCat("HTTP/1.1 ", reply.status, " ", ReasonPhrase(reply.status),
                   "\r\nContent-Type: ", reply.content_type,
                   "\r\nContent-Length: ", reply.body.size(), "\r\nConnection: close\r\n\r\n");
  if (method != "HEAD") response += reply.body;
  SendAll(fd, response);
}

}  // namespace

struct HttpServer::State {
  Descriptor listener;
  Descriptor wake;
  Routes routes;
  std::string host;
  int port = 0;
  std::thread thread;

  // Browsers open connections ahead of time and say nothing on them: those wait here, so that they
  // delay nobody.
  struct Peer {
    Descriptor fd;
    absl::Time deadline;
  };
  std::vector<Peer> peers;

  void Run() {
    for (;;) {
      std::vector<pollfd> waiting = {{wake.get(), POLLIN, 0},
                                     {peers.size() < kPeersMax ? listener.get() : -1, POLLIN, 0}};
      for (const Peer& peer : peers) waiting.push_back({peer.fd.get(), POLLIN, 0});
      const int timeout_ms = peers.empty() ? -1 : 100;
      if (poll(waiting.data(), waiting.size(), timeout_ms) < 0 && errno != EINTR) return;
      if (waiting[0].revents != 0) return;
      const absl::Time now = absl::Now();
      for (size_t i = peers.size(); i-- > 0;) {
        const bool speaks = waiting[i + 2].revents != 0;
        if (speaks) Serve(peers[i].fd.get(), routes);
        if (speaks || now >= peers[i].deadline) {
          peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
      if ((waiting[1].revents & POLLIN) == 0) continue;
      Descriptor peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (peer.get() >= 0) peers.push_back({std::move(peer), now + kSilentTime});
    }
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
  FPO_ASSIGN_OR_RETURN(state->listener, Listen(name, address.substr(colon + 1)));
  FPO_ASSIGN_OR_RETURN(state->port, PortOf(state->listener.get()));
  state->wake = Descriptor(eventfd(0, EFD_CLOEXEC));
  if (state->wake.get() < 0) return ErrnoStatus("cannot create an eventfd");
  state->routes = {std::move(routes), std::move(query_routes)};
  state->thread = std::thread([raw = state.get()] { raw->Run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::~HttpServer() {
  eventfd_write(state_->wake.get(), 1);
  state_->thread.join();
}

int HttpServer::port() const { return state_->port; }
std::string HttpServer::address() const { return absl::StrCat(state_->host, ":", state_->port); }

}  // namespace fpo
