#include "coordinator/core/store/postgres_job_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/core/store/rocksdb_job_store.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kCopyBytes = 4 << 20;  // of one write

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresJobStore>> PostgresJobStore::Open(
    std::shared_ptr<PostgresKeyValues> values) {
  std::unique_ptr<PostgresJobStore> store(new PostgresJobStore(std::move(values)));
  FPO_RETURN_IF_ERROR(store->CheckSchema());
  return store;
}

absl::Status PostgresJobStore::CopyTo(const std::string& folder) const {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<KeyValues> target, OpenEmptyJobFolder(folder));
  WriteSet writes;
  FPO_RETURN_IF_ERROR(postgres_->ScanAll(
      [&](int family, absl::string_view key, absl::string_view value) -> absl::Status {
        if (family < 0 || family >= static_cast<int>(JobFamilies().size())) {
          return absl::FailedPreconditionError(
              absl::StrCat("a newer program wrote into ", postgres_->Name()));
        }
        writes.Put(family, std::string(key), std::string(value));
        if (writes.bytes() < kCopyBytes) return absl::OkStatus();
        const absl::Status written = target->Write(writes, /*sync=*/false);
        writes.Clear();
        return written;
      }));
  return target->Write(writes);
}

absl::Status CopyToPostgres(const std::string& folder, PostgresKeyValues* target) {
  FPO_ASSIGN_OR_RETURN(const bool is_empty, target->IsEmpty());
  if (!is_empty) {
    return absl::AlreadyExistsError(absl::StrCat(target->Name(), " holds jobs already"));
  }
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RocksdbJobStore> source,
                       RocksdbJobStore::Open(folder));
  // The identity comes last: without it the copy is not taken for a store.
  for (int family = static_cast<int>(JobFamilies().size()) - 1; family >= 0; --family) {
    WriteSet writes;
    absl::Status status;
    const auto visit = [&](absl::string_view key, absl::string_view value) {
      writes.Put(family, std::string(key), std::string(value));
      if (writes.bytes() < kCopyBytes) return true;
      status = target->Write(writes, /*sync=*/false);
      writes.Clear();
      return status.ok();
    };
    FPO_RETURN_IF_ERROR(source->values().Scan(family, "", "", visit));
    FPO_RETURN_IF_ERROR(status);
    FPO_RETURN_IF_ERROR(target->Write(writes));
  }
  return absl::OkStatus();
}

}  // namespace fpo::coordinator
