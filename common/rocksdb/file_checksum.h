#pragma once

#include <rocksdb/file_checksum.h>

#include <memory>

namespace fpo {

// Checksums of whole files by XXH3 (64 bits). RocksDB's own factory knows CRC32C only, which
// Debian's build computes without the processor's instruction: a tenth of the work of an upload.
// Files that were written under the name of RocksDB's own are still verified by it. Thread-safe.
std::shared_ptr<rocksdb::FileChecksumGenFactory> MakeFileChecksumFactory();

}  // namespace fpo
