#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/files/file_descriptor.h"

namespace fpo::testing {

// A peer that speaks HTTP/2 in frames of its own choice, against what a gRPC client would do. Not
// thread-safe.
class RawHttp2 {
 public:
  enum Type : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kContinuation = 9 };
  static constexpr uint8_t kEndStream = 1, kEndHeaders = 4;

  // Connects to "127.0.0.1:port" and sends preface and settings.
  explicit RawHttp2(const std::string& address);

  bool is_open() const { return fd_.is_open(); }
  static std::string Frame(Type type, uint8_t flags, uint32_t stream, const std::string& payload);
  // The headers of a gRPC call, without any compression.
  static std::string CallHeaders(const std::string& path);
  static std::string Header(const std::string& name, const std::string& value);
  // False once the other side has closed the connection, or reads nothing for 5 s. What it says is
  // read and dropped.
  bool Send(const std::string& bytes);
  // Whether the other side closes the connection within this time.
  bool IsClosed(absl::Duration within);

 private:
  bool Drain();

  FileDescriptor fd_;
};

// A port of loopback that nothing listened on a moment ago.
int FreePort();

}  // namespace fpo::testing
