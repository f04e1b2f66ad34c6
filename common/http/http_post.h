#pragma once

#include <stop_token>

#include "absl/status/statusor.h"
#include "common/http/http_transfers.h"

namespace fpo {

// One POST, on the calling thread; for senders that have a thread of their own. Errors as those of
// HttpTransfers::Done; any status of the server is a response. `stop` gives it up within a tenth of
// a second: Cancelled. Many requests, or several at a time: keep an HttpTransfers, which also keeps
// the connection.
absl::StatusOr<HttpResponse> PostHttp(const HttpRequest& request,
                                      const HttpTransfers::Options& options,
                                      const std::stop_token& stop = {});

}  // namespace fpo
