#include "train/formats/tensor_type.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

TEST(TensorTypeTest, EveryNameGoesThereAndBack) {
  for (const char* name : {"BOOL", "U8", "I8", "I16", "U16", "F16", "BF16", "I32", "U32", "F32",
                           "F64", "I64", "U64", "F8_E5M2", "F8_E4M3", "C64"}) {
    const auto type = TensorTypeOf(name);
    ASSERT_TRUE(type.ok()) << name;
    EXPECT_EQ(*TensorTypeName(*type), name);
    EXPECT_EQ(TensorTypeBits(name), static_cast<int64_t>(8 * c10::elementSize(*type)));
  }
}

TEST(TensorTypeTest, UnknownNames) {
  EXPECT_TRUE(absl::IsInvalidArgument(TensorTypeOf("F4").status()));
  EXPECT_EQ(TensorTypeBits("F4"), 4);
  EXPECT_EQ(TensorTypeBits("F31"), 0);
  EXPECT_EQ(ShapeText({2, 3}), "[2, 3]");
}

}  // namespace
}  // namespace fpo::train
