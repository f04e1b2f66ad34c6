#include "common/reference/record_key.h"

#include <fstream>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(RecordKey, DigestsLengthsAndIds) {
  // SHA-256 of u32 LE [2, 5, 7, 1, 9], made with Python's hashlib.
  EXPECT_EQ(ToHex(RecordKey(std::vector<int32_t>{5, 7}, std::vector<int32_t>{9})),
            "735851b36bb75a93a059d4b4625dacaab162649339dbb2ae126b5e47a1e5300f");
}

TEST(RecordKey, TheBoundaryCounts) {
  EXPECT_NE(RecordKey(std::vector<int32_t>{1, 2}, std::vector<int32_t>{3}),
            RecordKey(std::vector<int32_t>{1}, std::vector<int32_t>{2, 3}));
}

TEST(RecordKey, OtherContextIsAnotherResponse) {
  const std::vector<int32_t> prompt = {1}, all = {3, 4, 5}, some = {3, ~4, 5}, other = {~3, 4, 5};
  EXPECT_NE(RecordKey(prompt, all), RecordKey(prompt, some));
  EXPECT_NE(RecordKey(prompt, some), RecordKey(prompt, other));
}

TEST(RecordKey, ManifestsFeelOrderAndRecipe) {
  const Digest a = Sha256Of("a"), b = Sha256Of("b");
  EXPECT_NE(ManifestId(a, std::vector<Digest>{a, b}), ManifestId(a, std::vector<Digest>{b, a}));
  EXPECT_NE(ManifestId(a, std::vector<Digest>{a, b}), ManifestId(b, std::vector<Digest>{a, b}));
}

TEST(RecordKey, KeysFilesRoundTripAndTornOnesAreRefused) {
  const std::string path = ::testing::TempDir() + "/record_key_test.keys";
  const std::vector<Digest> keys = {Sha256Of("a"), Sha256Of("b")};
  ASSERT_TRUE(WriteKeysFile(path, keys).ok());
  EXPECT_EQ(*ReadKeysFile(path), keys);
  std::ofstream(path, std::ios::app) << "x";
  EXPECT_EQ(ReadKeysFile(path).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace fpo
