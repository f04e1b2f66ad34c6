// Ingests sorted files into the store.
#include <rocksdb/sst_file_writer.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/rocksdb/database.h"
#include "common/rocksdb/database_state.h"
#include "common/rocksdb/rocksdb_options.h"
#include "common/rocksdb/rocksdb_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr char kUnfinishedPrefix[] = "ingest-";

using Entry = std::pair<absl::string_view, absl::string_view>;

// Removes its files when destroyed; ingested ones have been moved away.
struct UnfinishedFiles {
  ~UnfinishedFiles() {
    for (const std::string& path : paths) unlink(path.c_str());
  }
  std::vector<std::string> paths;
};

absl::Status WriteSorted(const std::string& path, const rocksdb::Options& options,
                         std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end());
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
  const std::string what = absl::StrCat("write the sorted file ", path);
  FPO_RETURN_IF_ERROR(FromRocksStatus(writer.Open(path), what));
  for (const auto& [key, value] : entries) {
    FPO_RETURN_IF_ERROR(
        FromRocksStatus(writer.Put({key.data(), key.size()}, {value.data(), value.size()}), what));
  }
  return FromRocksStatus(writer.Finish(), what);
}

rocksdb::IngestExternalFileOptions HowToIngest() {
  rocksdb::IngestExternalFileOptions how;
  how.move_files = true;
  // Rewriting a number inside the file would break its checksum.
  how.write_global_seqno = false;
  how.verify_checksums_before_ingest = true;
  how.snapshot_consistency = false;
  // Keys are digests: files of one recipe always overlap.
  how.allow_global_seqno = true;
  how.fail_if_not_bottommost_level = false;
  return how;
}

}  // namespace

void RemoveUnfinishedFiles(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (name.rfind(kUnfinishedPrefix, 0) == 0) std::filesystem::remove(entry.path(), ignored);
  }
}

absl::Status Database::Ingest(const WriteSet& writes) {
  FPO_RETURN_IF_ERROR(CheckSpace());
  FPO_RETURN_IF_ERROR(Health());
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  // One file per family and prefix: none spans two prefixes.
  std::map<std::pair<int, absl::string_view>, std::vector<Entry>> parts;
  for (const WriteSet::Op& op : writes.ops()) {
    if (op.kind != WriteSet::Kind::kPut) {
      return absl::InvalidArgumentError("sorted files take values only, no deletions");
    }
    const int prefix = state_->options.families[op.family].partition_prefix_bytes;
    parts[{op.family, absl::string_view(op.key).substr(0, prefix)}].emplace_back(op.key, op.value);
  }
  UnfinishedFiles files;
  std::map<int, rocksdb::IngestExternalFileArg> arguments;
  for (auto& [where, entries] : parts) {
    const int family = where.first;
    const std::string file = absl::StrCat(path(), "/", kUnfinishedPrefix, RandomId(8));
    files.paths.push_back(file);
    const rocksdb::Options options(state_->DbOptions(),
                                   MakeFamilyOptions(state_->options.families[family], nullptr));
    FPO_RETURN_IF_ERROR(WriteSorted(file, options, std::move(entries)));
    rocksdb::IngestExternalFileArg& argument = arguments[family];
    argument.column_family = open->families[family];
    argument.external_files.push_back(file);
    argument.options = HowToIngest();
  }
  std::vector<rocksdb::IngestExternalFileArg> all;
  for (auto& [family, argument] : arguments) all.push_back(std::move(argument));
  return FromRocksStatus(open->db->IngestExternalFiles(all),
                         absl::StrCat("take sorted files into the store ", path()));
}

}  // namespace fpo
