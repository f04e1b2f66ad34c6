#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "absl/time/time.h"
#include "common/access_list.h"

namespace fpo::coordinator {

// A reader that takes nothing for this long is cut off.
inline constexpr absl::Duration kReaderIdleMax = absl::Minutes(5);

// The call that a stream answers, and whose it is: a name, or the address of one who has none.
struct StreamCall {
  grpc::CallbackServerContext* context;
  std::string caller;
};

inline StreamCall StreamCallOf(grpc::CallbackServerContext* context, const Principal& caller) {
  if (!caller.name.empty()) return {context, caller.name};
  const std::string peer = context->peer();  // "ipv4:127.0.0.1:4711"
  return {context, peer.substr(0, peer.rfind(':'))};
}

}  // namespace fpo::coordinator
