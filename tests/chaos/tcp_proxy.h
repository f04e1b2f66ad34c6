#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace fpo::testing {

// A TCP port that passes everything on to another one, and can fall silent: connections stay open,
// new ones are taken, no byte moves. What a host looks like whose cable is cut or whose kernel
// hangs. Thread-safe.
class TcpProxy {
 public:
  explicit TcpProxy(const std::string& target);  // 127.0.0.1:port
  ~TcpProxy();

  std::string address() const { return address_; }
  void Silence(bool silent) { silent_ = silent; }

 private:
  void Run();

  const std::string target_;
  std::string address_;
  int listen_ = -1;
  std::atomic<bool> silent_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace fpo::testing
