// Linked into test programs that also run as NAME.plain: they then compute the plain way
// (train/ops/fast_paths.h), which the fast one is compared with.

#include <cstdlib>

#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

[[maybe_unused]] const bool computes_plainly = [] {
  const bool plain = std::getenv("FPO_TEST_PLAIN") != nullptr;
  if (plain) SetFastPaths(FastPaths::None());
  return plain;
}();

}  // namespace
}  // namespace fpo::train
