#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/values/compute_cost.h"
#include "common/values/digest.h"

// The set of records that a job needs, as the reference cache registers it.
namespace fpo {

struct NewManifest {
  std::string recipe;  // canonical
  std::vector<Digest> keys;
  std::string owner;
  std::string name;
  std::string share = "public";  // who else may read it: public, private, group:NAME

  bool operator==(const NewManifest&) const = default;
};

// What its registration found.
struct ManifestCount {
  Digest manifest_id{};
  Digest recipe_id{};
  int64_t total = 0;
  int64_t missing = 0;
  ComputeCost saved = {};  // what computing the present ones took

  int64_t present() const { return total - missing; }
  bool operator==(const ManifestCount&) const = default;
};

struct ManifestProgress {
  int64_t present = 0;
  int64_t total = 0;
  int64_t claimable = 0;  // missing, and in no claim

  bool operator==(const ManifestProgress&) const = default;
};

}  // namespace fpo
