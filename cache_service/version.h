#pragma once

namespace fpo::cache {

// Set by the build.
inline constexpr char kVersion[] = FPO_VERSION;
inline constexpr char kCommit[] = FPO_COMMIT;

}  // namespace fpo::cache
