#include "common/wire/cache_wire.h"

#include <google/protobuf/util/message_differencer.h>

#include <string>

#include "common/error_info.h"
#include "common/hash.h"
#include "common/wire/wire_time.h"
#include "gtest/gtest.h"
#include "tests/support/message_fields.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::Filled;
using google::protobuf::util::MessageDifferencer;

// Through the value and back: what either direction forgets is missing in the end.
template <typename Proto, typename Value>
void ExpectComesBack(const Proto& proto, const Value& value) {
  const Proto back = ToProto(value);
  EXPECT_TRUE(MessageDifferencer::Equals(back, proto)) << proto.DebugString() << "became\n"
                                                       << back.DebugString();
}

const std::string kId(32, 'm');

TEST(CacheWire, EveryFieldOfARegistrationComesBack) {
  auto header = Filled<pb::ManifestHeader>();
  NewManifest manifest = FromProto(header);
  EXPECT_TRUE(manifest.keys.empty()) << "they come in messages of their own";
  manifest.keys.resize(static_cast<size_t>(header.keys()));
  ExpectComesBack(header, manifest);
  header.clear_share();
  EXPECT_EQ(FromProto(header).share, "public");

  auto count = Filled<pb::PutManifestResponse>();
  EXPECT_TRUE(absl::IsDataLoss(FromProto(count).status()));
  count.set_manifest_id(kId);
  EXPECT_TRUE(absl::IsDataLoss(FromProto(count).status()));
  count.set_recipe_id(std::string(32, 'r'));
  ExpectComesBack(count, *FromProto(count));
  const auto progress = Filled<pb::WaitManifestResponse>();
  ExpectComesBack(progress, FromProto(progress));
}

TEST(CacheWire, EveryFieldOfAClaimComesBack) {
  auto request = Filled<pb::ClaimRequest>();
  EXPECT_EQ(GetErrorInfo(FromProto(request).status())->field, "manifest_id");
  request.set_manifest_id(kId);
  ExpectComesBack(request, *FromProto(request));
  const auto claim = Filled<pb::ClaimResponse>();
  ExpectComesBack(claim, FromProto(claim));
}

TEST(CacheWire, ADurationIsRoundedUpToMilliseconds) {
  const pb::ClaimResponse message =
      ToProto(RecordClaim{.retry_after = absl::Nanoseconds(1), .lease = absl::Seconds(30)});
  EXPECT_EQ(message.retry_after_ms(), 1) << "zero would be a busy loop";
  EXPECT_EQ(message.lease_ms(), 30'000);
}

TEST(CacheWire, EveryFieldOfATransferComesBack) {
  auto batch = Filled<pb::PutRecordsRequest>();
  batch.clear_seq();
  batch.clear_manifest_id();
  ExpectComesBack(batch, FromProto(batch));
  auto counts = Filled<pb::PutRecordsResponse>();
  counts.clear_last_seq();
  ExpectComesBack(counts, FromProto(counts));
  auto pull = Filled<pb::PullManifestRequest>();
  EXPECT_EQ(GetErrorInfo(FromProto(pull).status())->field, "manifest_id");
  pull.set_manifest_id(kId);
  ExpectComesBack(pull, *FromProto(pull));
  auto frame = Filled<pb::PullManifestResponse>();
  EXPECT_TRUE(absl::IsDataLoss(FromProto(frame).status())) << "no digest";
  frame.set_sha256_of_digests(std::string(32, 'd'));
  ExpectComesBack(frame, *FromProto(frame));
  frame.clear_sha256_of_digests();
  EXPECT_EQ(FromProto(frame)->sha256_of_digests, std::nullopt);
}

TEST(CacheWire, KeysStandOneAfterTheOther) {
  const Digest a = Sha256Of("a"), b = Sha256Of("b");
  EXPECT_EQ(KeysToBytes({a, b}), ToBytes(a) + ToBytes(b));
}

TEST(CacheWire, NamesTheFieldThatIsNoDigest) {
  EXPECT_EQ(GetErrorInfo(ReadDigest("x", "recipe_id").status())->field, "recipe_id");
  EXPECT_EQ(ReasonOf(ReadDigest("x", "recipe_id").status()), ErrorReason::kInvalidRequest);
  EXPECT_EQ(*ReadDigest(ToBytes(Sha256Of("a")), "recipe_id"), Sha256Of("a"));
}

TEST(CacheWire, TimesComeBackToTheNanosecond) {
  google::protobuf::Timestamp message;
  const absl::Time time = absl::FromUnixNanos(1'700'000'000'123'456'789);
  SetExactTime(time, &message);
  EXPECT_EQ(TimeOf(message), time);
}

}  // namespace
}  // namespace fpo
