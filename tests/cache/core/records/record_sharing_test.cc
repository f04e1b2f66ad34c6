// Which jobs find each other's records, and which changes make a miss.
#include <functional>

#include "cache/core/records/reference_cache.h"
#include "common/reference/record_key.h"
#include "gtest/gtest.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/support/memory_store.h"

namespace fpo::cache {
namespace {

// One response: what the tokenizer made of a row.
struct Row {
  std::vector<int32_t> prompt;
  std::vector<int32_t> response;
};

std::vector<Row> Rows(int first, int count) {
  std::vector<Row> rows;
  for (int i = first; i < first + count; ++i) rows.push_back({{2, i, i + 1}, {i * 3, 7, 1}});
  return rows;
}

std::vector<Digest> KeysOf(const std::vector<Row>& rows) {
  std::vector<Digest> keys;
  for (const Row& row : rows) keys.push_back(RecordKey(row.prompt, row.response));
  return keys;
}

class RecordSharingTest : public ::testing::Test {
 protected:
  void SetUp() override { cache_ = *ReferenceCache::Open(&store_, clock_.both()); }
  // Records that a job with these rows finds; it computes the rest.
  int64_t RunJob(const Recipe& recipe, const std::vector<Row>& rows) {
    const std::vector<Digest> keys = KeysOf(rows);
    const auto status = cache_->PutManifest({CanonicalRecipe(recipe), keys, "", ""});
    EXPECT_TRUE(status.ok()) << status.status();
    const auto claim = cache_->Claim({status->manifest_id, 1024, "b"});
    std::vector<PackedRecord> records;
    for (const int64_t ordinal : claim->ordinals) {
      Record record{.sum_logp = -1.0, .tokens = 3, .features = {}};
      for (size_t s = 0; s < recipe.sae.size(); ++s) record.features.push_back({{4, 1.0f}});
      records.push_back(fpo::Pack(keys[static_cast<size_t>(ordinal)], record));
    }
    if (!records.empty()) {
      EXPECT_TRUE(cache_->PutRecords(status->manifest_id, claim->claim_id, Pack(records)).ok());
    }
    return status->present();
  }

  MemoryStore store_;
  FakeClocks clock_;
  std::unique_ptr<ReferenceCache> cache_;
};

TEST_F(RecordSharingTest, TwoDataSetsShareExactlyTheirCommonRows) {
  const Recipe recipe = FeatureTestRecipe();
  EXPECT_EQ(RunJob(recipe, Rows(0, 100)), 0);
  EXPECT_EQ(RunJob(recipe, Rows(50, 100)), 50);
  std::vector<Row> shuffled = Rows(0, 150);
  std::reverse(shuffled.begin(), shuffled.end());
  EXPECT_EQ(RunJob(recipe, shuffled), 150) << "neither file nor order counts";
  EXPECT_EQ(store_.Totals().records, 2 * 150);  // each with its margin-only form
}

TEST_F(RecordSharingTest, MarginMethodsFindWhatAFeatureMethodStored) {
  EXPECT_EQ(RunJob(FeatureTestRecipe(), Rows(0, 20)), 0);
  EXPECT_EQ(RunJob(MarginRecipe(FeatureTestRecipe()), Rows(0, 20)), 20);
}

TEST_F(RecordSharingTest, AFeatureMethodDoesNotTakeAMarginForItsRecord) {
  EXPECT_EQ(RunJob(MarginTestRecipe(), Rows(0, 20)), 0);
  EXPECT_EQ(RunJob(FeatureTestRecipe(), Rows(0, 20)), 0);
}

TEST_F(RecordSharingTest, WhatCanChangeAValueIsAMiss) {
  const std::vector<std::function<void(Recipe*)>> changes = {
      [](Recipe* r) { r->model_digest = ToHex(Sha256Of("one weight by one ulp")); },
      [](Recipe* r) { r->forward = "another softcap"; },
      [](Recipe* r) { r->dtype = "bfloat16"; },
      [](Recipe* r) { r->device = "cuda"; },
      [](Recipe* r) { r->sae[0].digest = ToHex(Sha256Of("another threshold")); },
      [](Recipe* r) { r->sae[0].layer = 4; },
      [](Recipe* r) { r->sae[0].site = "mlp_out"; },
      [](Recipe* r) { r->sae[0].pooling = "max-response"; },
      [](Recipe* r) { r->sae[0].precision = "bfloat16"; },
      [](Recipe* r) { r->features = "top:50"; },
  };
  EXPECT_EQ(RunJob(FeatureTestRecipe(), Rows(0, 10)), 0);
  for (const auto& change : changes) {
    Recipe recipe = FeatureTestRecipe();
    change(&recipe);
    EXPECT_EQ(RunJob(recipe, Rows(0, 10)), 0) << CanonicalRecipe(recipe);
  }
  EXPECT_EQ(RunJob(FeatureTestRecipe(), Rows(0, 10)), 10) << "and the first are still there";
}

TEST_F(RecordSharingTest, AnotherTokenIsAnotherRecord) {
  EXPECT_EQ(RunJob(FeatureTestRecipe(), Rows(0, 10)), 0);
  std::vector<Row> rows = Rows(0, 10);
  rows[3].response[1] = 8;      // one token
  rows[4].response.pop_back();  // max_length cut it
  rows[5].prompt.push_back(rows[5].response.front());
  rows[5].response.erase(rows[5].response.begin());  // the same ids, cut elsewhere
  EXPECT_EQ(RunJob(FeatureTestRecipe(), rows), 7);
}

}  // namespace
}  // namespace fpo::cache
