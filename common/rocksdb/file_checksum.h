#pragma once

#include <rocksdb/file_checksum.h>

#include <memory>

namespace fpo {

// Checksums of whole files by XXH3 (64 bits). RocksDB's own factory has only CRC32C, which Debian's
// build computes in software: a tenth of the work of an upload. Files written with RocksDB's own
// checksum are still verified. Thread-safe.
std::shared_ptr<rocksdb::FileChecksumGenFactory> MakeFileChecksumFactory();

}  // namespace fpo
