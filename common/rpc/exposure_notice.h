#pragma once

#include <memory>
#include <string>

#include "common/rpc/listen_options.h"
#include "common/ticker.h"

namespace fpo {

// Says in the log, at the start and every hour, what `--insecure` opens (ExposureWarning). Nothing
// is said, and no thread started, where nothing is open.
class ExposureNotice {
 public:
  explicit ExposureNotice(const ListenOptions& options);

 private:
  std::unique_ptr<Ticker> ticker_;
};

}  // namespace fpo
