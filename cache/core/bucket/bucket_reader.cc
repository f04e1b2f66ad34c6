#include "cache/core/bucket/bucket_reader.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files/durable_file.h"
#include "common/observe/log.h"
#include "common/reference/record_file.h"
#include "common/status_macros.h"
#include "common/waits/steady_wait.h"

namespace fpo::cache {
namespace {

constexpr size_t kForeignIndexesMax = 64;  // read for one manifest, beside its own

// Of one object, rather than of the bucket or of this cache: the rest is still of use.
bool IsOfOneObject(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsInvalidArgument(status) ||
         absl::IsFailedPrecondition(status);
}

}  // namespace

BucketReader::BucketReader(Options options, ObjectStore* objects, ReferenceCache* cache,
                           BucketCounters* counters)
    : options_(std::move(options)), objects_(*objects), cache_(*cache), counters_(*counters) {}

BucketReader::~BucketReader() { Stop(); }

void BucketReader::Start() {
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Loop(); });
  }
}

void BucketReader::RequestStop() {
  absl::MutexLock lock(&mutex_);
  stop_.request_stop();
  queue_.clear();
  for (auto& [id, transfer] : transfers_) transfer->done = true;
}

void BucketReader::Stop() {
  RequestStop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void BucketReader::FetchUntil(const Digest& manifest_id, absl::Time until) {
  if (Await(manifest_id, until)) return;
  ++counters_.timeouts;
  Log(LogLevel::kWarning,
      "the bucket is slow: what has not come yet is computed if it is claimed first",
      {{"manifest", ToHex(manifest_id)}});
}

bool BucketReader::Await(const Digest& manifest_id, absl::Time until) {
  absl::MutexLock lock(&mutex_);
  if (stop_.stop_requested() || BootNow() < closed_until_) return true;
  std::shared_ptr<Transfer>& known = transfers_[manifest_id];
  if (known == nullptr) {
    if (queue_.size() >= options_.waiting_max) {
      transfers_.erase(manifest_id);
      return false;
    }
    known = std::make_shared<Transfer>();
    queue_.push_back(manifest_id);
  }
  const std::shared_ptr<Transfer> transfer = known;
  const absl::Duration patience = std::max(until - BootNow(), absl::ZeroDuration());
  return AwaitFor(&mutex_, absl::Condition(&transfer->done), patience);
}

void BucketReader::Loop() {
  while (const std::optional<Digest> manifest_id = Next()) {
    End(*manifest_id, Fetch(*manifest_id));
  }
}

std::optional<Digest> BucketReader::Next() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &BucketReader::HasWorkOrStops));
  if (stop_.stop_requested()) return std::nullopt;
  const Digest manifest_id = queue_.front();
  queue_.pop_front();
  return manifest_id;
}

void BucketReader::End(const Digest& manifest_id, const absl::Status& status) {
  const bool failed = !status.ok() && !stop_.stop_requested();
  if (failed) ++counters_.fetch_failures;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto it = transfers_.find(manifest_id); it != transfers_.end()) {
      it->second->done = true;
      transfers_.erase(it);
    }
    if (failed) closed_until_ = BootNow() + options_.closed;
  }
  if (!failed) return;
  Log(LogLevel::kWarning,
      absl::StrCat("records cannot be fetched from the bucket; jobs compute what is missing, and "
                   "it is left alone for ",
                   absl::FormatDuration(options_.closed)),
      {{"manifest", ToHex(manifest_id)}, {"error", std::string(status.message())}});
}

absl::Status BucketReader::Fetch(const Digest& manifest_id) {
  FPO_ASSIGN_OR_RETURN(Wanted wanted, WantedBy(manifest_id));
  if (wanted.keys.empty()) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(cache_.Writable());
  const size_t lacked = wanted.keys.size();
  FPO_ASSIGN_OR_RETURN(const std::vector<IndexName> indexes, IndexesFor(wanted));
  for (const IndexName& index : indexes) {
    if (wanted.keys.empty()) break;
    const absl::Status used = UseIndex(index, &wanted);
    if (used.ok()) continue;
    if (!IsOfOneObject(used)) return used;
    ++counters_.refused;
    Log(LogLevel::kError, "an index in the bucket is of no use",
        {{"object", NameOf(options_.root, index).Url()}, {"error", std::string(used.message())}});
  }
  if (wanted.keys.size() < lacked) {
    Log(LogLevel::kInfo, "records came from the bucket",
        {{"manifest", ToHex(manifest_id)},
         {"records", absl::StrCat(lacked - wanted.keys.size())},
         {"missing", absl::StrCat(wanted.keys.size())}});
  }
  return absl::OkStatus();
}

absl::StatusOr<BucketReader::Wanted> BucketReader::WantedBy(const Digest& manifest_id) {
  FPO_ASSIGN_OR_RETURN(const ManifestStatus manifest, cache_.GetManifest(manifest_id));
  FPO_ASSIGN_OR_RETURN(const std::vector<Digest> keys, cache_.KeysOf(manifest_id));
  FPO_ASSIGN_OR_RETURN(const std::vector<int64_t> missing, cache_.MissingOrdinals(manifest_id));
  Wanted wanted{.manifest_id = manifest_id,
                .recipe_id = manifest.header.recipe_id,
                .keys = {},
                .tried = {},
                .until = BootNow() + options_.fetch_max};
  wanted.keys.reserve(missing.size());
  for (const int64_t ordinal : missing) {
    const Digest& key = keys[static_cast<size_t>(ordinal)];
    wanted.keys.emplace(KeyStart(key), key);
  }
  return wanted;
}

absl::StatusOr<std::vector<IndexName>> BucketReader::IndexesFor(const Wanted& wanted) {
  FPO_ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects,
                       objects_.List(SitesPrefix(options_.root), kIndexesMax));
  std::vector<IndexName> own, others;
  for (const ObjectInfo& object : objects) {
    absl::StatusOr<IndexName> name = ParseIndexKey(options_.root, object.key);
    if (!name.ok() || name->recipe_id != wanted.recipe_id) continue;
    (name->manifest_id == wanted.manifest_id ? own : others).push_back(*std::move(name));
  }
  others.resize(std::min(others.size(), kForeignIndexesMax));
  std::move(others.begin(), others.end(), std::back_inserter(own));
  return own;
}

absl::Status BucketReader::UseIndex(const IndexName& name, Wanted* wanted) {
  absl::StatusOr<std::string> bytes =
      objects_.GetBytes(NameOf(options_.root, name), kIndexBytesMax);
  if (absl::IsResourceExhausted(bytes.status())) {
    return absl::DataLossError(bytes.status().message());
  }
  FPO_RETURN_IF_ERROR(bytes.status());
  FPO_ASSIGN_OR_RETURN(const BucketIndex index, DecodeIndex(*bytes));
  bytes->clear();
  for (const BucketSegment& segment : index.segments) {
    const bool helps = std::any_of(segment.keys.begin(), segment.keys.end(),
                                   [&](uint64_t start) { return wanted->keys.contains(start); });
    if (!helps || !wanted->tried.insert(segment.sha256).second) continue;
    if (stop_.stop_requested()) return absl::CancelledError("the cache stops");
    if (BootNow() > wanted->until) {
      return absl::DeadlineExceededError(
          absl::StrCat("not all was fetched within ", absl::FormatDuration(options_.fetch_max)));
    }
    const absl::Status used = UseSegment(segment, wanted);
    if (used.ok()) continue;
    if (!IsOfOneObject(used)) return used;
    ++counters_.refused;
    Log(LogLevel::kError, "a segment in the bucket is refused",
        {{"object", SegmentName(options_.root, segment.sha256).Url()},
         {"site", name.site},
         {"error", std::string(used.message())}});
  }
  return absl::OkStatus();
}

absl::Status BucketReader::UseSegment(const BucketSegment& segment, Wanted* wanted) {
  const std::string path = absl::StrCat(options_.folder, "/fetched-", RandomId(8), ".fpr");
  const absl::Cleanup remove = [&path] {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  };
  FPO_RETURN_IF_ERROR(Download(segment, path));
  return StoreRecords(path, wanted);
}

absl::Status BucketReader::Download(const BucketSegment& segment, const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const auto file, DurableFile::Create(path));
  Sha256 hash;
  FPO_RETURN_IF_ERROR(
      objects_.Get(SegmentName(options_.root, segment.sha256), {.stop = stop_.get_token()},
                   [&](absl::string_view piece) -> absl::Status {
                     if (file->size() + static_cast<int64_t>(piece.size()) > kSegmentBytesMax) {
                       return absl::DataLossError(
                           absl::StrCat("it is longer than ", kSegmentBytesMax, " bytes"));
                     }
                     hash.Update(piece);
                     counters_.fetched_bytes += static_cast<int64_t>(piece.size());
                     return file->Append(piece);
                   }));
  const Digest found = hash.Finish();
  if (found != segment.sha256) {
    return absl::DataLossError(
        absl::StrCat("its bytes have the SHA-256 ", ToHex(found), ", which is not its name"));
  }
  return file->Finish();
}

absl::Status BucketReader::StoreRecords(const std::string& path, Wanted* wanted) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RecordFile> file, RecordFile::Open(path));
  if (RecipeId(file->recipe()) != wanted->recipe_id) {
    return absl::DataLossError("its records are of another recipe");
  }
  std::vector<Digest> keys;
  std::string packed;
  const auto store = [&]() -> absl::Status {
    FPO_RETURN_IF_ERROR(cache_.StoreFetched(wanted->manifest_id, packed));
    for (const Digest& key : keys) wanted->keys.erase(KeyStart(key));
    counters_.fetched_records += static_cast<int64_t>(keys.size());
    keys.clear();
    packed.clear();
    return absl::OkStatus();
  };
  for (int64_t i = 0; i < file->size(); ++i) {
    const auto it = wanted->keys.find(KeyStart(file->KeyAt(i)));
    if (it == wanted->keys.end() || it->second != file->KeyAt(i)) continue;
    FPO_ASSIGN_OR_RETURN(const PackedRecord record, file->At(i));
    keys.push_back(record.key);
    AppendPacked(record, &packed);
    if (packed.size() >= kFrameBytesMax) FPO_RETURN_IF_ERROR(store());
  }
  return keys.empty() ? absl::OkStatus() : store();
}

}  // namespace fpo::cache
