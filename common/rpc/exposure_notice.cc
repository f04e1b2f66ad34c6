#include "common/rpc/exposure_notice.h"

#include "common/observe/log.h"

namespace fpo {
namespace {

constexpr absl::Duration kNoticePace = absl::Hours(1);

}  // namespace

ExposureNotice::ExposureNotice(const ListenOptions& options) {
  const std::string warning = ExposureWarning(options);
  if (warning.empty()) return;
  ticker_ = std::make_unique<Ticker>(kNoticePace, [warning, listen = options.listen](absl::Time) {
    Log(LogLevel::kWarning, warning, {{"listen", listen}});
  });
}

}  // namespace fpo
