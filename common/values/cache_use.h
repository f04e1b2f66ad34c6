#pragma once

#include <cstdint>
#include <string>

namespace fpo {

// What a job took from the reference cache and what it computed.
struct CacheUse {
  int64_t records_total = 0;     // distinct responses the job needs
  int64_t records_hit = 0;       // already stored when the job asked
  int64_t records_computed = 0;  // by this job, in forward passes of the reference
  std::string manifest_id;       // hex
  std::string recipe_id;         // hex
  double reference_seconds = 0;  // wall time of the reference phase
  // Time spent originally on computing the hit records; 0: not measured.
  double saved_seconds = 0;
  double saved_flops = 0;

  bool operator==(const CacheUse&) const = default;
};

}  // namespace fpo
