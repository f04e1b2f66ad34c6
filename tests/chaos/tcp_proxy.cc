#include "tests/chaos/tcp_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fpo::testing {
namespace {

constexpr int kLookMs = 10;

sockaddr_in AddressOf(const std::string& address) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  const size_t colon = address.rfind(':');
  place.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &place.sin_addr);
  return place;
}

// A pair of sockets whose bytes belong together.
struct Pair {
  int near = -1;
  int far = -1;
  void Close() const {
    close(near);
    close(far);
  }
};

// Moves what is there, without waiting for more; false at the end of the stream.
bool Move(int from, int to) {
  char bytes[65536];
  const ssize_t got = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t n = send(to, bytes + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += n;
  }
  return true;
}

}  // namespace

TcpProxy::TcpProxy(const std::string& target) : target_(target) {
  listen_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in place = AddressOf("127.0.0.1:0");
  socklen_t size = sizeof(place);
  bind(listen_, reinterpret_cast<sockaddr*>(&place), size);
  listen(listen_, 64);
  getsockname(listen_, reinterpret_cast<sockaddr*>(&place), &size);
  address_ = absl::StrCat("127.0.0.1:", ntohs(place.sin_port));
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  thread_.join();
  close(listen_);
}

void TcpProxy::Run() {
  std::vector<Pair> pairs;
  while (!stop_) {
    std::vector<pollfd> waiting = {{listen_, POLLIN, 0}};
    for (const Pair& pair : pairs) {
      waiting.push_back({pair.near, POLLIN, 0});
      waiting.push_back({pair.far, POLLIN, 0});
    }
    if (silent_) {
      poll(nullptr, 0, kLookMs);
      continue;
    }
    poll(waiting.data(), waiting.size(), kLookMs);
    for (size_t i = pairs.size(); i-- > 0;) {
      const Pair pair = pairs[i];
      const bool open = (waiting[1 + 2 * i].revents == 0 || Move(pair.near, pair.far)) &&
                        (waiting[2 + 2 * i].revents == 0 || Move(pair.far, pair.near));
      if (open) continue;
      pair.Close();
      pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (waiting[0].revents == 0) continue;
    Pair pair;
    pair.near = accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC);
    pair.far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in place = AddressOf(target_);
    if (connect(pair.far, reinterpret_cast<const sockaddr*>(&place), sizeof(place)) == 0) {
      pairs.push_back(pair);
    } else {
      pair.Close();
    }
  }
  for (const Pair& pair : pairs) pair.Close();
}

}  // namespace fpo::testing
