#include "common/rpc/acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/observe/log.h"
#include "common/rpc/listen_options.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr int kBacklog = 512;
constexpr int kRetryMs = 100;                              // without descriptors
constexpr absl::Duration kLook = absl::Milliseconds(100);  // between looks for closed ones
constexpr absl::Duration kWordEvery = absl::Minutes(1);

absl::Status Taken(const std::string& listen) {
  return absl::UnavailableError(absl::StrCat(
      "cannot listen on ", listen, ": the address is taken or not one of this machine's"));
}

// A listening socket; fails like bind and listen do, with errno.
FileDescriptor ListenOn(const addrinfo& address) {
  FileDescriptor fd(
      socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  const int on = 1;
  if (fd.get() < 0 || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    fd.Close();
  }
  return fd;
}

void SetPort(int port, addrinfo* address) {
  if (address->ai_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(address->ai_addr)->sin_port = htons(static_cast<uint16_t>(port));
  } else if (address->ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address->ai_addr)->sin6_port =
        htons(static_cast<uint16_t>(port));
  }
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// Without the port; empty for loopback, whose connections may come through a proxy from anywhere.
std::string PeerOf(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST] = "";
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof(host), nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return "";
  }
  const absl::string_view text = host;
  const bool local =
      text == "::1" || absl::StartsWith(text, "127.") || absl::StartsWith(text, "::ffff:127.");
  return local ? "" : host;
}

ino_t SocketOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Listen(Options options) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(std::move(options)));
  const std::string& listen = acceptor->options_.listen;
  std::string host = HostOf(listen);
  const std::string port = listen.substr(host.size() + 1);
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  for (addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (acceptor->port_ != 0) SetPort(acceptor->port_, each);
    FileDescriptor fd = ListenOn(*each);
    // A host name may have an address of a family that this machine lacks.
    if (!fd.is_open() && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) continue;
    if (!fd.is_open()) return Taken(listen);
    acceptor->port_ = PortOf(fd.get());
    acceptor->listeners_.push_back(std::move(fd));
  }
  if (acceptor->listeners_.empty()) return Taken(listen);
  acceptor->wake_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return acceptor;
}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::Start(std::function<void(FileDescriptor)> take) {
  take_ = std::move(take);
  thread_ = std::thread([this] { Loop(); });
}

void Acceptor::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
  listeners_.clear();
}

void Acceptor::Loop() {
  for (bool out_of_descriptors = false;;) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    std::vector<pollfd> waiting = {{wake_.get(), POLLIN, 0}};
    // Those that wait keep a listener readable: without a pause this would spin.
    for (const FileDescriptor& listener : listeners_) {
      waiting.push_back({out_of_descriptors ? -1 : listener.get(), POLLIN, 0});
    }
    poll(waiting.data(), waiting.size(), out_of_descriptors ? kRetryMs : -1);
    const bool retries = std::exchange(out_of_descriptors, false);
    for (size_t i = 0; i < listeners_.size(); ++i) {
      if (!retries && waiting[i + 1].revents == 0) continue;
      if (!Accept(listeners_[i].get())) out_of_descriptors = true;
    }
  }
}

bool Acceptor::Accept(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  FileDescriptor fd(accept4(listener, reinterpret_cast<sockaddr*>(&address), &size,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
  const int error = errno;
  absl::ReleasableMutexLock lock(&mutex_);
  if (!fd.is_open()) {
    const bool out_of_descriptors =
        error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    if (out_of_descriptors) NoteFailure(error);
    if (error == EAGAIN || error == EWOULDBLOCK) failure_ = absl::OkStatus();  // nobody waits
    return !out_of_descriptors;
  }
  failure_ = absl::OkStatus();
  if (!Admit(fd.get(), PeerOf(address, size))) return true;
  lock.Release();
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  take_(std::move(fd));
  return true;
}

void Acceptor::NoteFailure(int error) {
  ++numbers_.failures;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  failure_ = absl::UnavailableError(absl::StrCat("no connection can be accepted on ",
                                                 options_.listen, ": ", std::strerror(error),
                                                 " (ulimit -n is ", limit.rlim_cur, ")"));
  const absl::Time now = BootNow();
  if (now < next_word_) return;
  next_word_ = now + kWordEvery;
  Log(LogLevel::kError, failure_.message());
}

bool Acceptor::IsFull(const std::string& peer) const {
  if (passed_.size() >= static_cast<size_t>(options_.connections_max)) return true;
  const auto of_peer = by_peer_.find(peer);
  return of_peer != by_peer_.end() && of_peer->second >= options_.peer_connections_max;
}

bool Acceptor::Admit(int fd, const std::string& peer) {
  const absl::Time now = BootNow();
  if (IsFull(peer) && now >= looked_ + kLook) ForgetClosed();
  if (!IsFull(peer)) {
    passed_.push_back({fd, SocketOf(fd), peer});
    if (!peer.empty()) ++by_peer_[peer];
    return true;
  }
  ++numbers_.refused;
  if (now >= next_word_) {
    next_word_ = now + kWordEvery;
    Log(LogLevel::kWarning, "connections are refused: there are too many",
        {{"open", absl::StrCat(passed_.size())},
         {"limit", absl::StrCat(options_.connections_max)},
         {"limit_of_one_address", absl::StrCat(options_.peer_connections_max)},
         {"peer", peer.empty() ? "loopback" : peer}});
  }
  return false;
}

void Acceptor::ForgetClosed() {
  looked_ = BootNow();
  std::erase_if(passed_, [&](const Passed& each) {
    mutex_.AssertHeld();
    if (SocketOf(each.fd) == each.socket) return false;
    const auto of_peer = by_peer_.find(each.peer);
    if (of_peer != by_peer_.end() && --of_peer->second == 0) by_peer_.erase(of_peer);
    return true;
  });
}

absl::Status Acceptor::Health() const {
  absl::MutexLock lock(&mutex_);
  return failure_;
}

Acceptor::Numbers Acceptor::numbers() {
  absl::MutexLock lock(&mutex_);
  ForgetClosed();
  numbers_.open = static_cast<int64_t>(passed_.size());
  return numbers_;
}

}  // namespace fpo
