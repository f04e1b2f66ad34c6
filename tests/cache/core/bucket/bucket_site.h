#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/core/bucket/bucket_reader.h"
#include "cache/core/bucket/bucket_writer.h"
#include "cache/core/records/reference_cache.h"
#include "gtest/gtest.h"
#include "tests/cache/core/fake_clock.h"
#include "tests/cache/core/test_records.h"
#include "tests/common/object_store/memory_objects.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_folder.h"

namespace fpo::cache {

// A cache on a bucket that several share, as far as the bucket sees it.
class BucketSite {
 public:
  static constexpr int64_t kSmallSegment = 80;  // a few test records

  BucketSite(std::string site, ObjectStore* objects, std::string bucket = "bucket")
      : root_{std::move(bucket), "fpo/records"}, site_(std::move(site)), objects_(objects) {
    cache_ = *ReferenceCache::Open(&store_, clock_.both(), {});
    Restart();
  }

  // Another process on the same store.
  void Restart() {
    BucketWriter::Options writing{.root = root_, .site = site_, .folder = folder_.path()};
    writing.segment_bytes = kSmallSegment;
    writer_ = std::make_unique<BucketWriter>(writing, objects_, cache_.get(), &counters_);
    reader_ = std::make_unique<BucketReader>(
        BucketReader::Options{.root = root_, .folder = folder_.path()}, objects_, cache_.get(),
        &counters_);
  }

  Digest Register(const Recipe& recipe, const std::vector<Digest>& keys,
                  const std::string& share = "public", const std::string& owner = "ann") {
    const auto put = cache_->PutManifest({CanonicalRecipe(recipe), keys, owner, "job", share});
    EXPECT_TRUE(put.ok()) << put.status();
    return put->manifest_id;
  }
  // A complete manifest of `count` records from `first` on.
  Digest Filled(const Recipe& recipe, int count, int first = 0,
                const std::string& share = "public") {
    const Digest id = Register(recipe, TestKeys(count, first), share);
    const RecordClaim claim = *cache_->Claim({id, 1024, "b"});
    const auto put =
        cache_->PutRecords(id, claim.claim_id, Pack(TestRecords(recipe, count, first)));
    EXPECT_TRUE(put.ok()) << put.status();
    return id;
  }
  int64_t Missing(const Digest& manifest_id) {
    return static_cast<int64_t>(cache_->MissingOrdinals(manifest_id)->size());
  }
  std::string IndexKey(const Recipe& recipe, const Digest& manifest_id) const {
    return NameOf(root_, {site_, RecipeId(recipe), manifest_id}).key;
  }
  bool FolderIsEmpty() const { return std::filesystem::is_empty(folder_.path()); }

  const ObjectName root_;
  const std::string site_;
  ObjectStore* const objects_;
  const fpo::testing::TempFolder folder_;
  MemoryStore store_;
  FakeClocks clock_;
  BucketCounters counters_;
  std::unique_ptr<ReferenceCache> cache_;
  std::unique_ptr<BucketWriter> writer_;
  std::unique_ptr<BucketReader> reader_;
};

// The keys below "segments/" or "sites/".
inline std::vector<std::string> KeysBelow(const fpo::testing::MemoryObjects& objects,
                                          const std::string& folder) {
  std::vector<std::string> below;
  for (const std::string& key : objects.Keys()) {
    if (absl::StartsWith(key, "fpo/records/" + folder)) below.push_back(key);
  }
  return below;
}

}  // namespace fpo::cache
