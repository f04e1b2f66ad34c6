#include "cache/rpc/convert.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

// Every field of the message is set: a field added to the proto and forgotten here fails.
void ExpectAllFieldsSet(const google::protobuf::Message& message) {
  std::vector<const google::protobuf::FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  EXPECT_EQ(static_cast<int>(set.size()), message.GetDescriptor()->field_count())
      << message.DebugString();
}

TEST(Convert, Manifest) {
  ManifestStatus status;
  status.header.id = TestKey(1);
  status.header.recipe_id = TestKey(2);
  status.header.recipe = "{}";
  status.header.total = 10;
  status.header.owner = "ann";
  status.header.shares = {{"ann", "private"}};
  status.header.name = "job";
  status.header.created = absl::FromUnixNanos(1'500'000'007);
  status.header.used = absl::FromUnixNanos(2'000'000'000);
  status.header.pinned_until = absl::Now() + absl::Hours(1);
  status.header.retained_until = absl::Now() + absl::Hours(1);
  status.present = 4;
  status.bytes = 400;
  fpo::v1::Manifest message;
  ToProto(status, &message);
  ExpectAllFieldsSet(message);
  EXPECT_EQ(message.created().seconds(), 1);
  EXPECT_EQ(message.created().nanos(), 500'000'007);
  EXPECT_EQ(message.present(), 4);
}

TEST(Convert, Stats) {
  CacheTotals totals;
  totals.store = {.recipes = 1, .manifests = 2, .records = 3, .bytes = 4, .disk_bytes = 5};
  totals.store.quarantined = 11;
  totals.store.free_bytes = 12;
  totals.claims = 6;
  CacheCounters counters;
  counters.hits = 7;
  counters.misses = 8;
  counters.stored = 9;
  counters.conflict = 10;
  counters.corruptions = 1;
  counters.scrub_corruptions = 2;
  counters.manifest_corruptions = 4;
  counters.saved_seconds = 1.5;
  counters.saved_flops = 1e12;
  fpo::v1::StatsResponse message = ToProto(totals, counters);
  message.set_version("v");
  message.set_read_only("full");
  AddRules({.evict_bytes = 1, .reject_bytes = 2}, &message);
  AddOwners({{"ann", 1, 2, 3, 4}}, {"", Role::kAdmin}, &message);
  ExpectAllFieldsSet(message.owners(0));
  ExpectAllFieldsSet(message);
  EXPECT_EQ(message.conflicts(), 10);
  EXPECT_EQ(message.corruptions(), 7);
}

TEST(Convert, RecordsAndTheirGaps) {
  const PackedRecord record = TestRecord(MarginTestRecipe(), 1);
  const auto message = ToProto({std::nullopt, record, std::nullopt});
  ASSERT_TRUE(message.ok());
  EXPECT_THAT(message->missing(), ::testing::ElementsAre(0, 2));
  EXPECT_EQ(message->packed(), Pack({record}));
  PackedRecord large = record;
  large.bytes.resize(1 << 20);
  const std::vector<std::optional<PackedRecord>> four(4, large);
  EXPECT_EQ(ReasonOf(ToProto(four).status()), ErrorReason::kAnswerTooLarge);
}

TEST(Convert, GarbageAndQuarantine) {
  GcReport report{.dry_run = true,
                  .manifests = {{.header = {}, .bytes = 5, .remove = true, .reason = "unused"}},
                  .records_removed = 1,
                  .bytes_removed = 2,
                  .young_orphans = 3};
  report.manifests[0].header.name = "job";
  report.manifests[0].header.owner = "ann";
  const fpo::v1::GcResponse message = ToProto(report);
  ExpectAllFieldsSet(message);
  ExpectAllFieldsSet(message.manifests(0));
  ExpectAllFieldsSet(ToProto(
      QuarantinedRecord{{TestKey(1), TestKey(2)}, absl::FromUnixSeconds(5), "why", "evidence"}));
}

TEST(Convert, NamesTheFieldThatHoldsNoKeys) {
  EXPECT_EQ(GetErrorInfo(ReadKeys("x").status())->field, "keys");
  EXPECT_TRUE(ReadKeys("")->empty());
}

}  // namespace
}  // namespace fpo::cache
