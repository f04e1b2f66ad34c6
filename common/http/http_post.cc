#include "common/http/http_post.h"

#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace fpo {

absl::StatusOr<HttpResponse> PostHttp(const HttpRequest& request,
                                      const HttpTransfers::Options& options,
                                      const std::stop_token& stop) {
  HttpTransfers transfers(options);
  transfers.Start(0, request);
  while (!stop.stop_requested()) {  // options.timeout ends the request, and with it this
    std::vector<HttpTransfers::Done> done = transfers.Wait(absl::Milliseconds(100));
    if (!done.empty()) return std::move(done[0].response);
  }
  return absl::CancelledError("given up: this program is stopping");
}

}  // namespace fpo
