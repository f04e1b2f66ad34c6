#pragma once

namespace fpo::agent {

// Set by the build.
inline constexpr char kVersion[] = FPO_VERSION;
inline constexpr char kCommit[] = FPO_COMMIT;

}  // namespace fpo::agent
