#include "cache/core/bucket/bucket_layout.h"

#include "gmock/gmock.h"
#include "tests/cache/core/test_records.h"

namespace fpo::cache {
namespace {

using ::testing::HasSubstr;

TEST(BucketLayoutTest, NamesAreBelowThePrefixAndComeBack) {
  const ObjectName root{"b", "a/fpo"};
  EXPECT_EQ(SegmentName(root, TestKey(1)).Url(),
            "s3://b/a/fpo/segments/" + ToHex(TestKey(1)) + ".fpr");
  const IndexName name{"0a", TestKey(2), TestKey(3)};
  const std::string key = NameOf(root, name).key;
  EXPECT_EQ(key, "a/fpo/sites/0a/" + ToHex(TestKey(2)) + "/" + ToHex(TestKey(3)) + ".json");
  const auto read = ParseIndexKey(root, key);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->site, "0a");
  EXPECT_EQ(read->recipe_id, TestKey(2));
  EXPECT_EQ(read->manifest_id, TestKey(3));
  EXPECT_EQ(SitePrefix({"b", ""}, "0a").key, "sites/0a/");
  for (const char* bad : {"a/fpo/sites/0a/x.json", "sites/0a/1/2.json", "a/fpo/sites/0a/1/2.json",
                          "a/fpo/sites/0a/1/2/3.json", "a/fpo/segments/1.fpr"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseIndexKey(root, bad).status())) << bad;
  }
}

TEST(BucketLayoutTest, AnIndexComesBack) {
  const BucketIndex index{
      "{\"recipe\":1}",
      {{TestKey(1), 77, {KeyStart(TestKey(5)), 0, ~uint64_t{0}}}, {TestKey(2), 1, {1}}}};
  const auto read = DecodeIndex(EncodeIndex(index));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, index);
}

TEST(BucketLayoutTest, ADamagedIndexIsNamedAsSuch) {
  const std::string good = EncodeIndex({"r", {{TestKey(1), 77, {9}}}});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return DecodeIndex(text).status();
  };
  for (const absl::Status& status :
       {DecodeIndex("").status(), DecodeIndex("[]").status(), DecodeIndex("{}").status(),
        with("\"version\":1", "\"version\":2"), with("77", "0"), with("77", "77000000000"),
        with("\"keys\":\"00", "\"keys\":\""), with("0009", "00zz"), with("[{", "[7,{"),
        with("\"sha256\":\"", "\"sha256\":\"0"),
        with("\"recipe\"", "\"other\":3,\"recipe\":7,\"")}) {
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the index is damaged"));
  }
}

}  // namespace
}  // namespace fpo::cache
