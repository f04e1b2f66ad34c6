#pragma once

#include <cstdint>
#include <string>

namespace fpo::coordinator {

// What a job took from the reference cache and what it had to compute.
struct CacheUse {
  int64_t records_total = 0;
  int64_t records_hit = 0;
  int64_t records_computed = 0;
  std::string manifest_id;  // hex
  std::string recipe_id;    // hex
  double reference_seconds = 0;
  // What the records that were hit took those who computed them; 0: not measured.
  double saved_seconds = 0;
  double saved_flops = 0;

  bool operator==(const CacheUse&) const = default;
};

}  // namespace fpo::coordinator
