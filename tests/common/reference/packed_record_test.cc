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

TEST(SequenceDigest, FeelsEveryRecordAndTheirOrder) {
  const Digest a = Sha256Of("a"), b = Sha256Of("b"), c = Sha256Of("c");
  const auto digest = [](const std::vector<std::pair<Digest, Digest>>& records) {
    SequenceDigest sequence;
    for (const auto& [key, sha256] : records) sequence.Add(key, sha256);
    return sequence.Finish();
  };
  const Digest whole = digest({{a, b}, {b, c}});
  EXPECT_EQ(digest({{a, b}, {b, c}}), whole);
  EXPECT_NE(digest({{b, c}, {a, b}}), whole);
  EXPECT_NE(digest({{a, b}}), whole);
  EXPECT_NE(digest({{a, b}, {b, a}}), whole);
  EXPECT_EQ(digest({}), Sha256Of(""));
}

TEST(PackedFrames, HoldAMegabyteEach) {
  std::vector<PackedFrame> frames;
  PackedRecord record{.key = Sha256Of("k"), .sha256 = {}, .bytes = std::string(300'000, 'x')};
  for (int i = 0; i < 4; ++i) AddToFrames(record, &frames);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].records, 3);
  EXPECT_EQ(frames[1].records, 1);
  EXPECT_LE(frames[0].packed.size(), kFrameBytesMax);
  record.bytes = std::string(kFrameBytesMax, 'x');
  AddToFrames(record, &frames);
  EXPECT_EQ(frames.size(), 3u) << "a large one has a frame to itself";
  // The record that fills the frame to its last byte still belongs to it.
  frames.clear();
  record.bytes = "x";
  AddToFrames(record, &frames);
  record.bytes = std::string(kFrameBytesMax - 2 * 68 - 1, 'x');
  AddToFrames(record, &frames);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].packed.size(), kFrameBytesMax);
}

}  // namespace
}  // namespace fpo
