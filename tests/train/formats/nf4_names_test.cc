#include "train/formats/nf4_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

TEST(Nf4Names, PartsOfPackedWeightsAreNoTensorsOfTheirOwn) {
  const Nf4Names split = SplitNf4Names(
      {"a.weight", "a.weight.absmax", "a.weight.nested_absmax", "a.weight.nested_quant_map",
       "a.weight.quant_map", "a.weight.quant_state.bitsandbytes__nf4", "b.weight",
       "b.weight.absmax", "c.weight", "c.weight.quant_state.bitsandbytes__fp4"});
  EXPECT_THAT(split.packed, ElementsAre("a.weight"));
  // Of other types they stay, for the reader to refuse.
  EXPECT_THAT(split.tensors, ElementsAre("a.weight", "b.weight", "b.weight.absmax", "c.weight",
                                         "c.weight.quant_state.bitsandbytes__fp4"));
}

}  // namespace
}  // namespace fpo::train
