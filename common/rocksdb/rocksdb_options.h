#pragma once

#include <rocksdb/options.h>

#include <memory>

#include "common/rocksdb/database.h"

namespace fpo {

// RocksDB settings behind a Database; the source gives the reason for each.
rocksdb::DBOptions MakeDbOptions(const DatabaseOptions& database);
rocksdb::ColumnFamilyOptions MakeFamilyOptions(const FamilyOptions& family,
                                               const std::shared_ptr<rocksdb::Cache>& block_cache);

}  // namespace fpo
