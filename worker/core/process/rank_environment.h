#pragma once

#include <string>
#include <vector>

#include "common/values/attempt_ref.h"

namespace fpo::worker {

struct RankIdentity {
  AttemptRef attempt;
  int32_t rank = 0;
};

// "FPO_ATTEMPT=job/attempt/epoch", "FPO_RANK=0": identify a rank's processes, whatever session or
// group they moved to.
std::vector<std::string> IdentityEnvironment(const RankIdentity& identity);

// The environment of a rank: everything except secrets (names with TOKEN, SECRET, PASSWORD,
// CREDENTIAL or ending in _KEY), what S3 is used with (AWS_...) and the agent's own trace, plus its
// identity. `device`: its CUDA_VISIBLE_DEVICES; empty: the inherited one.
std::vector<std::string> RankEnvironment(const std::vector<std::string>& inherited,
                                         const RankIdentity& identity, const std::string& device);

}  // namespace fpo::worker
