#include "common/hash.h"

#include <fstream>

#include "gtest/gtest.h"

namespace fpo {
namespace {

// FIPS 180-2, appendix B.1.
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Hash, MatchesThePublishedVector) {
  EXPECT_EQ(ToHex(Sha256Of("abc")), kAbc);
  Sha256 parts;
  parts.Update("a");
  parts.Update("bc");
  EXPECT_EQ(ToHex(parts.Finish()), kAbc);
}

TEST(Hash, DigestsAFile) {
  const std::string path = ::testing::TempDir() + "/hash_test.bin";
  std::ofstream(path) << "abc";
  ASSERT_TRUE(Sha256OfFile(path).ok());
  EXPECT_EQ(ToHex(*Sha256OfFile(path)), kAbc);
  EXPECT_EQ(Sha256OfFile(path + ".none").status().code(), absl::StatusCode::kNotFound);
}

TEST(Hash, HexAndBytesRoundTripAndRefuseOtherLengths) {
  const Digest digest = Sha256Of("x");
  EXPECT_EQ(*DigestFromHex(ToHex(digest)), digest);
  EXPECT_EQ(*DigestFromBytes(ToBytes(digest)), digest);
  EXPECT_FALSE(DigestFromHex("abc").ok());
  EXPECT_FALSE(DigestFromHex(std::string(64, 'g')).ok());
  EXPECT_FALSE(DigestFromBytes("short").ok());
}

TEST(Hash, RandomIdsDiffer) {
  EXPECT_EQ(RandomId(8).size(), 16u);
  EXPECT_NE(RandomId(16), RandomId(16));
}

}  // namespace
}  // namespace fpo
