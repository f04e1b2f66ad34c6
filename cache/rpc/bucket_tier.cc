#include "cache/rpc/bucket_tier.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/object_store/s3_object_store.h"
#include "common/object_store/s3_settings.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr int kTriesMax = 3;  // the writer tries again anyhow, and a registration does not wait
constexpr int kSiteIdBytes = 8;
constexpr size_t kSiteIdDigits = 2 * kSiteIdBytes;

// Drawn once for a store. Copies of the store have none, so that no two caches write as one site.
absl::StatusOr<std::string> SiteOf(const std::string& folder) {
  const std::string path = folder + "/site";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    const std::string site = RandomId(kSiteIdBytes);
    FPO_RETURN_IF_ERROR(WriteFileAtomically(path, site));
    return site;
  }
  std::ifstream in(path, std::ios::binary);
  std::string site;
  in >> site;
  if (site.size() == kSiteIdDigits &&
      site.find_first_not_of("0123456789abcdef") == std::string::npos) {
    return site;
  }
  return absl::DataLossError(absl::StrCat(
      path, " is damaged; without the file this cache writes to the bucket as a new site"));
}

// Emptied: it holds what an earlier process was sending or fetching.
absl::Status MakeScratch(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) std::filesystem::create_directories(path, error);
  return error ? PosixError(error.value(), "create", path) : absl::OkStatus();
}

struct ShownCounter {
  const char* name;
  const char* help;
  std::atomic<int64_t> BucketCounters::*value;
  MetricLabels labels = {};
};

constexpr char kPending[] = "fpo_cache_bucket_pending_manifests";
constexpr char kPendingHelp[] = "Complete public manifests that are not in the bucket yet.";
constexpr char kFailures[] = "fpo_cache_bucket_failures_total";
constexpr char kFailuresHelp[] = "Errors of the bucket; each is tried again, or computed instead.";

std::vector<ShownCounter> ShownCounters() {
  return {
      {"fpo_cache_bucket_sent_manifests_total", "Manifests copied to the bucket.",
       &BucketCounters::sent_manifests},
      {"fpo_cache_bucket_sent_bytes_total", "Bytes of segments sent to the bucket.",
       &BucketCounters::sent_bytes},
      {"fpo_cache_bucket_fetched_records_total", "Records that came from the bucket.",
       &BucketCounters::fetched_records},
      {"fpo_cache_bucket_fetched_bytes_total", "Bytes of segments read from the bucket.",
       &BucketCounters::fetched_bytes},
      {"fpo_cache_bucket_refused_total", "Segments and indexes of the bucket that failed a check.",
       &BucketCounters::refused},
      {"fpo_cache_bucket_timeouts_total", "Registrations that did not wait for the bucket's end.",
       &BucketCounters::timeouts},
      {kFailures, kFailuresHelp, &BucketCounters::send_failures, {{"operation", "send"}}},
      {kFailures, kFailuresHelp, &BucketCounters::fetch_failures, {{"operation", "fetch"}}},
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<BucketTier>> BucketTier::Open(const CacheConfig& config,
                                                             ReferenceCache* cache,
                                                             MetricsRegistry* registry) {
  S3ObjectStore::Options options;
  FPO_ASSIGN_OR_RETURN(options.settings, S3SettingsOf(config.environment));
  options.tries_max = kTriesMax;
  options.backoff.seed = std::random_device()();
  FPO_ASSIGN_OR_RETURN(
      auto tier, OpenWith(std::make_unique<S3ObjectStore>(std::move(options)), config, cache));
  tier->Show(registry);
  return tier;
}

absl::StatusOr<std::unique_ptr<BucketTier>> BucketTier::OpenWith(
    std::unique_ptr<ObjectStore> objects, const CacheConfig& config, ReferenceCache* cache) {
  FPO_ASSIGN_OR_RETURN(const ObjectName root, ParseS3Url(config.bucket));
  const std::string folder = config.data + "/bucket";
  const std::string scratch = folder + "/scratch";
  FPO_RETURN_IF_ERROR(MakeScratch(scratch));
  FPO_ASSIGN_OR_RETURN(std::string site, SiteOf(folder));
  auto tier = std::unique_ptr<BucketTier>(
      new BucketTier(std::move(objects), std::move(site), config.bucket_wait));
  BucketWriter::Options writer{.root = root, .site = tier->site_, .folder = scratch};
  writer.backoff.seed = std::random_device()();
  tier->writer_ = std::make_unique<BucketWriter>(std::move(writer), tier->objects_.get(), cache,
                                                 &tier->counters_);
  tier->reader_ =
      std::make_unique<BucketReader>(BucketReader::Options{.root = root, .folder = scratch},
                                     tier->objects_.get(), cache, &tier->counters_);
  tier->waits_ = std::make_unique<WorkPool>(WorkPool::Options{.threads = config.threads});
  return tier;
}

BucketTier::~BucketTier() { Stop(); }

void BucketTier::Start() {
  writer_->Start();
  reader_->Start();
  Log(LogLevel::kInfo, "records are shared through a bucket", {{"site", site_}});
}

void BucketTier::RequestStop() {
  writer_->RequestStop();
  reader_->RequestStop();
}

void BucketTier::Stop() {
  RequestStop();
  waits_->Stop();
  writer_->Stop();
  reader_->Stop();
}

void BucketTier::Fill(const Digest& manifest_id, std::function<void()> then) {
  const absl::Time until = BootNow() + wait_;
  waits_->Run([this, manifest_id, until, then = std::move(then)] {
    reader_->FetchUntil(manifest_id, until);
    then();
  });
}

void BucketTier::Declare(MetricsRegistry* registry) {
  registry->DeclareGauge(kPending, kPendingHelp);
  for (const ShownCounter& each : ShownCounters()) {
    registry->AddCounter(each.name, each.help, each.labels);
  }
}

void BucketTier::Show(MetricsRegistry* registry) {
  const Gauge pending = registry->AddGauge(kPending, kPendingHelp);
  std::vector<std::pair<Counter, std::atomic<int64_t> BucketCounters::*>> shown;
  for (const ShownCounter& each : ShownCounters()) {
    shown.emplace_back(registry->AddCounter(each.name, each.help, each.labels), each.value);
  }
  registry->OnScrape([this, pending, shown] {
    pending.Set(static_cast<double>(counters_.pending));
    for (const auto& [counter, value] : shown) {
      const double missing = static_cast<double>(counters_.*value) - counter.Value();
      if (missing > 0) counter.Add(missing);
    }
  });
}

}  // namespace fpo::cache
