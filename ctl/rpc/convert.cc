#include "ctl/rpc/convert.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using google::protobuf::Timestamp;
using Json = nlohmann::json;

std::optional<absl::Time> TimeOf(bool present, const Timestamp& time) {
  if (!present) return std::nullopt;
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

const Json& Member(const Json& object, const char* key) {
  static const Json kNull;
  const auto found = object.find(key);
  return object.is_object() && found != object.end() ? *found : kNull;
}

std::string Text(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

void ReadConfig(const std::string& text, JobView* view) {
  const Json config = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return;
  view->output = Text(Member(config, "output"));
  view->model = Text(Member(Member(config, "model"), "path"));
  view->has_reference =
      view->kind != "sae" && Text(Member(Member(config, "reference"), "source")) == "cached";
}

AttemptView AttemptViewOf(const pb::Attempt& attempt) {
  AttemptView view;
  view.number = attempt.number();
  view.epoch = attempt.epoch();
  view.workers.assign(attempt.workers().begin(), attempt.workers().end());
  view.started = TimeOf(attempt.has_started(), attempt.started());
  view.ended = TimeOf(attempt.has_ended(), attempt.ended());
  view.end_class = std::string(TextOf(attempt.end_class()));
  view.end_message = attempt.end_message();
  return view;
}

ProgressView ProgressViewOf(const pb::JobProgress& progress) {
  ProgressView view;
  view.phase = std::string(TextOf(progress.phase()));
  view.done = progress.done();
  view.total = progress.total();
  view.unit = progress.unit();
  view.activity = progress.activity();
  view.step = progress.step();
  view.total_steps = progress.total_steps();
  view.metrics.insert(progress.metrics().begin(), progress.metrics().end());
  view.updated = TimeOf(progress.has_updated(), progress.updated());
  return view;
}

CacheView CacheViewOf(const pb::CacheUse& cache) {
  CacheView view;
  view.total = cache.records_total();
  view.hit = cache.records_hit();
  view.computed = cache.records_computed();
  view.reference_seconds = cache.reference_seconds();
  view.saved_seconds = cache.saved_seconds();
  view.saved_flops = cache.saved_flops();
  view.manifest_id = cache.manifest_id();
  return view;
}

}  // namespace

JobView ViewOf(const pb::Job& job) {
  JobView view;
  view.job_id = job.job_id();
  view.name = job.name();
  view.kind = std::string(TextOf(job.kind()));
  view.method = job.method();
  ReadConfig(job.spec().config_json(), &view);
  view.owner = job.spec().owner();
  view.state = std::string(TextOf(job.state()));
  view.reason = job.reason();
  for (const pb::Attempt& attempt : job.attempts()) view.attempts.push_back(AttemptViewOf(attempt));
  view.restarts_used = job.restarts_used();
  view.checkpoint_step = job.checkpoint_step();
  view.priority = job.priority();
  view.after_ok.assign(job.after_ok().begin(), job.after_ok().end());
  view.after_end.assign(job.after_end().begin(), job.after_end().end());
  view.labels.insert(job.labels().begin(), job.labels().end());
  for (const pb::BadCheckpoint& bad : job.bad_checkpoints()) {
    view.bad_checkpoints.push_back(
        absl::StrCat("step ", bad.step(), ", found by attempt ", bad.attempt(), ": ", bad.why()));
  }
  view.retry_of = job.retry_of();
  view.excluded_workers.assign(job.excluded_workers().begin(), job.excluded_workers().end());
  view.progress = ProgressViewOf(job.progress());
  if (job.progress().has_cache()) view.cache = CacheViewOf(job.progress().cache());
  view.submitted = TimeOf(job.has_submitted(), job.submitted());
  view.started = TimeOf(job.has_started(), job.started());
  view.ended = TimeOf(job.has_ended(), job.ended());
  view.result.insert(job.result().begin(), job.result().end());
  return view;
}

// "cuda", or "cuda: 8 x NVIDIA H100 80GB HBM3, 80 GiB".
std::string DeviceText(const pb::Worker& worker) {
  if (worker.devices().empty()) return std::string(TextOf(worker.device()));
  const pb::Device& first = worker.devices(0);
  bool same = true;
  for (const pb::Device& device : worker.devices()) same &= device.name() == first.name();
  return absl::StrCat(TextOf(worker.device()), ": ", worker.devices_size(), " x ",
                      same ? first.name() : "GPUs", ", ",
                      HumanBytes(static_cast<double>(first.memory_bytes())));
}

WorkerView ViewOf(const pb::Worker& worker) {
  WorkerView view;
  view.worker_id = worker.worker_id();
  view.host = worker.host();
  view.state = std::string(TextOf(worker.state()));
  view.slots = worker.slots();
  view.slots_used = worker.slots_used();
  view.device = DeviceText(worker);
  view.version = worker.version();
  view.last_beat = TimeOf(worker.has_last_beat(), worker.last_beat());
  view.jobs.assign(worker.jobs().begin(), worker.jobs().end());
  view.note = worker.note();
  const std::map<std::string, std::string> labels(worker.labels().begin(), worker.labels().end());
  for (const auto& [name, value] : labels) view.labels.push_back(absl::StrCat(name, "=", value));
  return view;
}

QueueRow ViewOf(const pb::QueuedJob& place) {
  QueueRow row;
  row.job = ViewOf(place.job());
  row.position = place.position();
  row.slots = place.job().slots();
  row.start = TimeOf(place.has_start_estimate(), place.start_estimate());
  row.end = TimeOf(place.has_end_estimate(), place.end_estimate());
  return row;
}

ManifestView ViewOf(const pb::Manifest& manifest) {
  ManifestView view;
  view.manifest_id = absl::BytesToHexString(manifest.manifest_id());
  view.recipe_id = absl::BytesToHexString(manifest.recipe_id());
  view.recipe = manifest.recipe();
  view.name = manifest.name();
  view.owner = manifest.owner();
  view.total = manifest.total();
  view.present = manifest.present();
  view.bytes = manifest.bytes();
  view.created = TimeOf(manifest.has_created(), manifest.created());
  view.used = TimeOf(manifest.has_used(), manifest.used());
  return view;
}

CacheStatsView ViewOf(const pb::StatsResponse& stats) {
  CacheStatsView view;
  view.version = stats.version();
  view.recipes = stats.recipes();
  view.manifests = stats.manifests();
  view.records = stats.records();
  view.bytes = stats.bytes();
  view.disk_bytes = stats.disk_bytes();
  view.claims = stats.claims();
  view.hits = stats.hits();
  view.misses = stats.misses();
  view.stored = stats.stored();
  view.conflicts = stats.conflicts();
  return view;
}

std::string AnswerJson(const google::protobuf::Message& answer) { return WireJson(answer); }

}  // namespace fpo::ctl
