#include "coordinator/core/store/postgres_job_store.h"

#include "coordinator/core/backup/store_backups.h"
#include "coordinator/core/backup/store_restore.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/temp_dir.h"
#include "tests/integration/postgres_server.h"

namespace fpo::coordinator {
namespace {

TEST(PostgresJobStore, AStoreMovesThereAndBackUnchanged) {
  const std::string missing = fpo::testing::PostgresServer::Missing();
  if (!missing.empty()) GTEST_SKIP() << missing;
  fpo::testing::PostgresServer server;
  TempDir dir;
  StoreIdentity identity;
  std::vector<Job> jobs;
  {
    auto store = RocksdbJobStore::Open(dir.path() + "/data").value();
    for (int i = 0; i < 300; ++i) {
      Job job = MakeJob(absl::StrCat("j-", i));
      job.revision = static_cast<uint64_t>(i + 1);
      job.config_json = std::string(20'000, 'c');
      ASSERT_TRUE(store->CreateJob(job, {"r-" + job.job_id, "d", job.job_id, kStart}).ok());
    }
    identity = store->LoadIdentity().value();
    jobs = store->LoadJobs().value();
  }
  PostgresOptions options;
  options.address = server.Url();
  std::shared_ptr<PostgresKeyValues> values = PostgresKeyValues::Open(options).value();
  ASSERT_TRUE(values->TakeLead(values->ReadLead().value(), "a:1").value());
  ASSERT_TRUE(CopyToPostgres(dir.path() + "/data", values.get()).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(CopyToPostgres(dir.path() + "/data", values.get())));
  const auto moved = PostgresJobStore::Open(values).value();
  EXPECT_EQ(moved->LoadIdentity().value(), identity);
  EXPECT_EQ(moved->LoadJobs().value(), jobs);

  StoreBackups backups({.folder = dir.path() + "/backups"}, moved.get());
  const StoreBackup backup = backups.Make(kStart).value();
  EXPECT_EQ(backup.manifest.jobs, 300);
  EXPECT_EQ(backup.manifest.revision, 300u);
  const RestoreReport restored =
      RestoreJobStore(backup.path, dir.path() + "/restored", kStart).value();
  EXPECT_EQ(restored.waiting_jobs.size(), 300u);

  ASSERT_TRUE(moved->CopyTo(dir.path() + "/back").ok());
  const auto back = RocksdbJobStore::Open(dir.path() + "/back").value();
  EXPECT_EQ(back->LoadIdentity().value(), identity);
  EXPECT_EQ(back->LoadJobs().value(), jobs);
  EXPECT_EQ(back->LoadConfig("j-7").value(), std::string(20'000, 'c'));
}

}  // namespace
}  // namespace fpo::coordinator
