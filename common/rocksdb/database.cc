#include "common/rocksdb/database.h"

#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/rocksdb/database_state.h"
#include "common/rocksdb/log_damage.h"
#include "common/rocksdb/log_order.h"
#include "common/rocksdb/rocksdb_options.h"
#include "common/rocksdb/rocksdb_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr int64_t kRecoverFreeBytesMin = 8 << 20;
constexpr absl::Duration kRecoverEveryMax = absl::Seconds(60);

// Whose store it is, by a family that only that program has.
absl::string_view OwnerOf(const std::vector<std::string>& families) {
  const auto has = [&](const char* name) {
    return std::find(families.begin(), families.end(), name) != families.end();
  };
  return has("specs") ? "fpo-coordinator" : has("quarantine") ? "fpo-cache" : "another program";
}

// FailedPrecondition: the folder holds families that this store does not have.
absl::Status CheckOwner(const DatabaseOptions& options) {
  std::vector<std::string> found;
  // What cannot be listed is not there yet, or damaged: opening it says more.
  if (!rocksdb::DB::ListColumnFamilies({}, options.path, &found).ok()) return absl::OkStatus();
  for (const std::string& name : found) {
    const bool known = name == rocksdb::kDefaultColumnFamilyName ||
                       std::any_of(options.families.begin(), options.families.end(),
                                   [&](const FamilyOptions& f) { return f.name == name; });
    if (known) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        options.path, " is the store of ", OwnerOf(found), ": give another folder (--data)"));
  }
  return absl::OkStatus();
}

rocksdb::Slice ToSlice(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

std::vector<rocksdb::ColumnFamilyDescriptor> Database::State::Descriptors() const {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const FamilyOptions& family : options.families) {
    descriptors.emplace_back(family.name, MakeFamilyOptions(family, block_cache));
  }
  const bool has_default = std::any_of(
      options.families.begin(), options.families.end(),
      [](const FamilyOptions& f) { return f.name == rocksdb::kDefaultColumnFamilyName; });
  if (!has_default) {
    descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  }
  return descriptors;
}

rocksdb::DBOptions Database::State::DbOptions() const {
  rocksdb::DBOptions db_options = MakeDbOptions(options);
  db_options.listeners.push_back(latch);
  const auto failed = [kept = latch](absl::Status error) { kept->Set(std::move(error)); };
  db_options.listeners.push_back(std::make_shared<LogOrder>(db_options.env, options.path, failed));
  return db_options;
}

absl::StatusOr<std::unique_ptr<OpenDb>> Database::State::OpenFolder() {
  if (!options.read_only) RemoveUnfinishedFiles(options.path);
  if (options.damaged_log_is_loss) FPO_RETURN_IF_ERROR(CheckLogs(options.path));
  auto result = std::make_unique<OpenDb>();
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      options.read_only
          ? rocksdb::DB::OpenForReadOnly(DbOptions(), options.path, Descriptors(),
                                         &result->families, &db)
          : rocksdb::DB::Open(DbOptions(), options.path, Descriptors(), &result->families, &db);
  result->db.reset(db);
  FPO_RETURN_IF_ERROR(FromRocksStatus(status, absl::StrCat("open the store ", options.path)));
  return result;
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() { EndCompactions(); }

absl::StatusOr<std::unique_ptr<Database>> Database::Open(DatabaseOptions options) {
  std::error_code error;
  if (!options.read_only) std::filesystem::create_directories(options.path, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot create the store folder ", options.path, ": ", error.message()));
  }
  auto state = std::make_unique<State>();
  state->block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  state->options = std::move(options);
  FPO_RETURN_IF_ERROR(CheckOwner(state->options));
  if (state->options.repair) FPO_RETURN_IF_ERROR(state->Repair());
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<OpenDb> open, state->OpenOrRepair());
  {
    absl::MutexLock lock(&state->mutex);
    state->open = std::move(open);
  }
  return std::unique_ptr<Database>(new Database(std::move(state)));
}

absl::Status Database::Write(const WriteSet& writes, bool sync) {
  FPO_RETURN_IF_ERROR(CheckSpace());
  return Apply(writes, sync);
}

absl::Status Database::WriteAbove(int64_t free_bytes_min, const WriteSet& writes, bool sync) {
  FPO_RETURN_IF_ERROR(CheckSpaceAbove(free_bytes_min));
  return Apply(writes, sync);
}

absl::Status Database::WriteIntoReserve(const WriteSet& writes, bool sync) {
  return Apply(writes, sync);
}

absl::Status Database::Apply(const WriteSet& writes, bool sync) {
  FPO_RETURN_IF_ERROR(Health());
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  rocksdb::WriteBatch batch;
  for (const WriteSet::Op& op : writes.ops()) {
    rocksdb::ColumnFamilyHandle* family = open->families[op.family];
    rocksdb::Status added;
    switch (op.kind) {
      case WriteSet::Kind::kPut:
        added = batch.Put(family, op.key, op.value);
        break;
      case WriteSet::Kind::kDelete:
        added = batch.Delete(family, op.key);
        break;
      case WriteSet::Kind::kDeleteRange:
        added = batch.DeleteRange(family, op.key, op.value);
        break;
    }
    FPO_RETURN_IF_ERROR(FromRocksStatus(added, "collect writes"));
  }
  if (sync) {
    const rocksdb::Status marked = batch.PutLogData(kSyncedMark);
    FPO_RETURN_IF_ERROR(FromRocksStatus(marked, "mark writes"));
  }
  rocksdb::WriteOptions write_options;
  write_options.sync = sync;
  return FromRocksStatus(open->db->Write(write_options, &batch),
                         absl::StrCat("write to the store ", path()));
}

absl::StatusOr<std::optional<std::string>> Database::Get(int family, absl::string_view key) const {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  std::string value;
  const rocksdb::Status status =
      open->db->Get(rocksdb::ReadOptions(), open->families[family], ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  FPO_RETURN_IF_ERROR(FromRocksStatus(status, absl::StrCat("read from the store ", path())));
  return std::optional<std::string>(std::move(value));
}

absl::Status Database::MultiVisit(
    int family, absl::Span<const std::string> keys,
    const std::function<void(size_t i, absl::string_view)>& found) const {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  rocksdb::ReadOptions read;
  // Records are read in passes, once each, and would only evict the index from the cache.
  read.fill_cache = state_->options.families[family].profile != FamilyProfile::kBulk;
  open->db->MultiGet(read, open->families[family], keys.size(), slices.data(), values.data(),
                     statuses.data(), std::is_sorted(keys.begin(), keys.end()));
  absl::Status error;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) found(i, {values[i].data(), values[i].size()});
    if (statuses[i].ok() || statuses[i].IsNotFound()) continue;
    error.Update(FromRocksStatus(statuses[i], absl::StrCat("read from the store ", path())));
  }
  return error;
}

absl::StatusOr<std::vector<std::optional<std::string>>> Database::MultiGet(
    int family, absl::Span<const std::string> keys) const {
  std::vector<std::optional<std::string>> result(keys.size());
  FPO_RETURN_IF_ERROR(MultiVisit(
      family, keys, [&](size_t i, absl::string_view value) { result[i] = std::string(value); }));
  return result;
}

absl::Status Database::Scan(int family, absl::string_view begin, absl::string_view end,
                            const Visit& visit) const {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  const rocksdb::Slice bound = ToSlice(end);
  if (!end.empty()) read.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> it(open->db->NewIterator(read, open->families[family]));
  for (it->Seek(ToSlice(begin)); it->Valid(); it->Next()) {
    if (!visit(ToView(it->key()), ToView(it->value()))) return absl::OkStatus();
  }
  return FromRocksStatus(it->status(), absl::StrCat("scan the store ", path()));
}

absl::Status Database::ScanBack(
    int family, absl::string_view begin, absl::string_view end,
    const std::function<bool(absl::string_view, absl::string_view)>& visit) const {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  const rocksdb::Slice lower = ToSlice(begin);
  const rocksdb::Slice upper = ToSlice(end);
  read.iterate_lower_bound = &lower;
  if (!end.empty()) read.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> it(open->db->NewIterator(read, open->families[family]));
  for (it->SeekToLast(); it->Valid(); it->Prev()) {
    if (!visit(ToView(it->key()), ToView(it->value()))) return absl::OkStatus();
  }
  return FromRocksStatus(it->status(), absl::StrCat("scan the store ", path()));
}

absl::StatusOr<std::optional<std::pair<std::string, std::string>>> Database::Last(
    int family, absl::string_view end) const {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  rocksdb::ReadOptions read;
  const rocksdb::Slice bound = ToSlice(end);
  if (!end.empty()) read.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> it(open->db->NewIterator(read, open->families[family]));
  it->SeekToLast();
  FPO_RETURN_IF_ERROR(FromRocksStatus(it->status(), absl::StrCat("scan the store ", path())));
  std::optional<std::pair<std::string, std::string>> last;
  if (it->Valid()) last.emplace(it->key().ToString(), it->value().ToString());
  return last;
}

absl::Status Database::Health() const {
  const absl::Status error = state_->latch->Get();
  if (error.ok()) return error;
  return absl::Status(
      error.code() == absl::StatusCode::kResourceExhausted ? error.code()
                                                           : absl::StatusCode::kUnavailable,
      absl::StrCat(
          "the store ", path(),
          " takes no writes until it is reopened, which happens by itself: ", error.message()));
}

absl::Status Database::Recover(absl::Time now) {
  if (Health().ok()) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(CheckSpace());
  // Closing takes the store from its readers, and opening writes: without space it would stay
  // closed.
  if (FreeBytes() < kRecoverFreeBytesMin) return Health();
  EndCompactions();
  absl::MutexLock lock(&state_->mutex);
  if (now < state_->next_recovery) return Health();
  state_->next_recovery = now + state_->recovery_pause;
  state_->recovery_pause = std::min(state_->recovery_pause * 2, kRecoverEveryMax);
  state_->open.reset();
  // Damage that stopped background work stops it again unless the damaged file is removed.
  const bool damaged = absl::IsDataLoss(state_->latch->Get());
  // Cleared before opening, so that an error raised by opening is kept.
  state_->latch->Clear();
  if (damaged && state_->options.repair_when_damaged) {
    state_->Repair().IgnoreError();  // opening reports what is still wrong
  }
  absl::StatusOr<std::unique_ptr<OpenDb>> open = state_->OpenOrRepair();
  if (!open.ok()) {
    state_->latch->Set(open.status());
    return open.status();
  }
  state_->open = *std::move(open);
  state_->recovery_pause = kRecoverEveryMin;
  return Health();
}

absl::Status Database::CheckSpace() const {
  return CheckSpaceAbove(state_->options.free_bytes_min);
}

absl::Status Database::CheckSpaceAbove(int64_t free_bytes_min) const {
  struct statvfs fs {};
  if (statvfs(path().c_str(), &fs) != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot read the free space of ", path(), ": ", std::strerror(errno)));
  }
  const auto free_bytes = static_cast<double>(fs.f_bavail) * static_cast<double>(fs.f_frsize);
  const auto all_bytes = static_cast<double>(fs.f_blocks) * static_cast<double>(fs.f_frsize);
  const double needed =
      std::max(static_cast<double>(free_bytes_min), all_bytes * state_->options.free_fraction_min);
  if (free_bytes >= needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the file system of ", path(), " has ", static_cast<int64_t>(free_bytes) >> 20,
                   " MiB left and writes stop below ", static_cast<int64_t>(needed) >> 20,
                   " MiB: free space or move the store"));
}

absl::Status Database::Checkpoint(const std::string& target) const {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  rocksdb::Checkpoint* raw = nullptr;
  const rocksdb::Status created = rocksdb::Checkpoint::Create(open->db.get(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  FPO_RETURN_IF_ERROR(FromRocksStatus(created, "prepare a copy of the store"));
  return FromRocksStatus(checkpoint->CreateCheckpoint(target),
                         absl::StrCat("copy the store ", path(), " to ", target));
}

int64_t Database::FreeBytes() const {
  struct statvfs fs {};
  if (statvfs(path().c_str(), &fs) != 0) return 0;
  return static_cast<int64_t>(fs.f_bavail) * static_cast<int64_t>(fs.f_frsize);
}

int64_t Database::DiskBytes() const {
  absl::ReaderMutexLock lock(&state_->mutex);
  if (!state_->open) return 0;
  uint64_t total = 0;
  for (rocksdb::ColumnFamilyHandle* family : state_->open->families) {
    uint64_t bytes = 0;
    state_->open->db->GetIntProperty(family, rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    total += bytes;
    state_->open->db->GetIntProperty(family, rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes);
    total += bytes;
  }
  return static_cast<int64_t>(total);
}

const std::string& Database::path() const { return state_->options.path; }

}  // namespace fpo
