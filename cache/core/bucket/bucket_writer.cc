#include "cache/core/bucket/bucket_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/reference/record_file.h"
#include "common/status_macros.h"
#include "common/waits/stop_wait.h"

namespace fpo::cache {
namespace {

constexpr int64_t kRecordsAtOnce = 64;

// An access list decides per owner; one who shares it with everybody is enough to read it.
bool IsPublic(const ManifestHeader& manifest) {
  return std::any_of(manifest.shares.begin(), manifest.shares.end(),
                     [](const ManifestShare& share) { return share.share == "public"; });
}

}  // namespace

BucketWriter::BucketWriter(Options options, ObjectStore* objects, ReferenceCache* cache,
                           BucketCounters* counters)
    : options_(std::move(options)),
      objects_(*objects),
      cache_(*cache),
      counters_(*counters),
      file_(options_.folder + "/sending.fpr") {}

BucketWriter::~BucketWriter() { Stop(); }

void BucketWriter::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void BucketWriter::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
}

void BucketWriter::Loop() {
  Backoff backoff(options_.backoff);
  bool said = false;
  absl::Duration pause = absl::ZeroDuration();
  while (WaitUnlessStopped(stop_.get_token(), pause)) {
    const absl::Status status = Step();
    if (stop_.stop_requested()) return;
    pause = status.ok() ? options_.pace : backoff.Next();
    if (status.ok()) backoff.Reset();
    if (!status.ok()) ++counters_.send_failures;
    if (status.ok() == said) {
      Log(status.ok() ? LogLevel::kInfo : LogLevel::kWarning,
          status.ok() ? "records go to the bucket again"
                      : "records cannot be sent to the bucket; this is tried again",
          {{"error", std::string(status.message())}});
    }
    said = !status.ok();
  }
}

absl::Status BucketWriter::Step() {
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestHeader> pending, Pending());
  counters_.pending = static_cast<int64_t>(pending.size());
  if (pending.empty()) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(ListSent());
  for (const ManifestHeader& manifest : pending) {
    if (sent_.contains(manifest.id)) {  // by an earlier process
      --counters_.pending;
      continue;
    }
    FPO_ASSIGN_OR_RETURN(const bool sent, Send(manifest));
    if (!sent) continue;
    sent_.insert(manifest.id);
    --counters_.pending;
    ++counters_.sent_manifests;
  }
  return absl::OkStatus();
}

absl::Status BucketWriter::ListSent() {
  if (listed_) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const std::vector<ObjectInfo> objects,
                       objects_.List(SitePrefix(options_.root, options_.site), kIndexesMax));
  for (const ObjectInfo& object : objects) {
    const absl::StatusOr<IndexName> name = ParseIndexKey(options_.root, object.key);
    if (name.ok() && name->site == options_.site) sent_.insert(name->manifest_id);
  }
  listed_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ManifestHeader>> BucketWriter::Pending() {
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestStatus> all, cache_.ListManifests());
  std::vector<ManifestHeader> pending;
  for (const ManifestStatus& each : all) {
    const bool complete = each.present == each.header.total;
    if (!complete || !IsPublic(each.header) || sent_.contains(each.header.id)) continue;
    pending.push_back(each.header);
  }
  std::sort(pending.begin(), pending.end(),
            [](const ManifestHeader& a, const ManifestHeader& b) { return a.created < b.created; });
  return pending;
}

absl::StatusOr<bool> BucketWriter::Send(const ManifestHeader& manifest) {
  BucketIndex index{.recipe = manifest.recipe, .segments = {}};
  for (int64_t from = 0; from < manifest.total;) {
    absl::StatusOr<BucketSegment> segment = Pack(manifest, from);
    if (stop_.stop_requested()) return absl::CancelledError("the cache stops");
    if (!segment.ok()) {
      Log(LogLevel::kWarning, "a manifest cannot be packed for the bucket; this is tried again",
          {{"manifest", ToHex(manifest.id)}, {"error", std::string(segment.status().message())}});
      return false;
    }
    FPO_RETURN_IF_ERROR(SendSegment(*segment));
    from += static_cast<int64_t>(segment->keys.size());
    index.segments.push_back(*std::move(segment));
  }
  const IndexName name{
      .site = options_.site, .recipe_id = manifest.recipe_id, .manifest_id = manifest.id};
  FPO_RETURN_IF_ERROR(objects_.Put(NameOf(options_.root, name), EncodeIndex(index)));
  return true;
}

absl::StatusOr<BucketSegment> BucketWriter::Pack(const ManifestHeader& manifest, int64_t from) {
  FPO_RETURN_IF_ERROR(cache_.Writable());  // not the last of the disk
  FPO_ASSIGN_OR_RETURN(const Recipe recipe, ParseRecipe(manifest.recipe));
  FPO_ASSIGN_OR_RETURN(const auto writer, RecordFileWriter::Create(file_, recipe));
  BucketSegment segment;
  while (from < manifest.total && segment.bytes < options_.segment_bytes) {
    if (stop_.stop_requested()) return absl::CancelledError("the cache stops");
    FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> records,
                         cache_.ReadRange(manifest, from, kRecordsAtOnce));
    if (records.empty()) return absl::DataLossError(absl::StrCat("no record ", from));
    for (const PackedRecord& record : records) {
      if (segment.bytes >= options_.segment_bytes) break;
      FPO_RETURN_IF_ERROR(writer->Add(record));
      segment.bytes += static_cast<int64_t>(record.bytes.size());
      segment.keys.push_back(KeyStart(record.key));
      ++from;
    }
  }
  FPO_RETURN_IF_ERROR(writer->Finish());
  FPO_ASSIGN_OR_RETURN(segment.sha256, Sha256OfFile(file_));
  return segment;
}

absl::Status BucketWriter::SendSegment(const BucketSegment& segment) {
  const ObjectName name = SegmentName(options_.root, segment.sha256);
  const absl::StatusOr<ObjectInfo> there = objects_.Head(name);
  if (!there.ok() && !absl::IsNotFound(there.status())) return there.status();
  // Of this manifest's last attempt, of another manifest, or of another site.
  if (there.ok() && there->sha256 == segment.sha256) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const Digest sent, objects_.PutFile(name, file_, stop_.get_token()));
  if (sent != segment.sha256) {
    return absl::DataLossError(absl::StrCat(file_, " changed while it was sent"));
  }
  counters_.sent_bytes += segment.bytes;
  return absl::OkStatus();
}

}  // namespace fpo::cache
