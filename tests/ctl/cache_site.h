#pragma once

#include <memory>
#include <string>

#include "cache/rpc/cache_server.h"
#include "tests/cache/rpc/cache_fixture.h"
#include "tests/support/temp_folder.h"

namespace fpo::ctl {

// A cache with one complete manifest.
class Site : public cache::CacheCalls {
 public:
  explicit Site(int records = 0) {
    cache::CacheConfig config;
    config.listen.listen = "127.0.0.1:0";
    config.listen.http = "127.0.0.1:0";
    config.data = folder_ / "store";
    config.backups = folder_ / "backups";
    config.free_mib_min = 0;
    server_ = *cache::CacheServer::Start(config, "1", "c");
    Connect(server_->address());
    if (records == 0) return;
    id_ = PutManifest(recipe_, cache::TestKeys(records))->manifest_id();
    const auto claim = Claim(id_, 1024);
    const std::string packed = cache::Pack(cache::TestRecords(recipe_, records));
    EXPECT_TRUE(PutRecords(id_, claim->claim_id(), {packed}).ok());
  }
  std::string address() const { return server_->address(); }
  std::string hex() const { return ToHex(*DigestFromBytes(id_)); }

  const Recipe recipe_ = cache::FeatureTestRecipe();

 private:
  const fpo::testing::TempFolder folder_;
  std::unique_ptr<cache::CacheServer> server_;
  std::string id_;
};

}  // namespace fpo::ctl
