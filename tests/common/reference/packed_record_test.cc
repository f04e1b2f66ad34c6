#include "common/reference/packed_record.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(PackedRecord, RoundTripsSeveral) {
  std::string packed;
  const PackedRecord a = Pack(Sha256Of("a"), {-1, 2, {{{4, 1.f}}}});
  const PackedRecord b = Pack(Sha256Of("b"), {-2, 3, {}});
  AppendPacked(a, &packed);
  AppendPacked(b, &packed);
  const auto read = Unpack(packed);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, (std::vector<PackedRecord>{a, b}));
}

TEST(PackedRecord, EveryFlippedBitOfTheBytesIsSeen) {
  std::string packed;
  AppendPacked(Pack(Sha256Of("a"), {-1, 2, {{{4, 1.f}}}}), &packed);
  for (size_t bit = 32 * 8; bit < packed.size() * 8; ++bit) {  // the key is checked by its reader
    std::string damaged = packed;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_EQ(Unpack(damaged).status().code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (size_t size = 1; size < packed.size(); ++size) {
    EXPECT_FALSE(Unpack(absl::string_view(packed).substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace fpo
