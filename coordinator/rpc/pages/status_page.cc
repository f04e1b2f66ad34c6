#include "coordinator/rpc/pages/status_page.h"

#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/page/chart_page.h"
#include "common/text/json.h"
#include "coordinator/rpc/convert.h"
#include "coordinator/rpc/pages/compare_data.h"
#include "coordinator/rpc/pages/page_call.h"

namespace fpo::embedded {

extern const absl::string_view kStatusPageHtml, kStatusPageCss, kStatusPageJs;
extern const absl::string_view kPageCacheJs, kPageCompareJs, kPagePartsJs;

}  // namespace fpo::embedded

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr int32_t kJobsShown = 100;
constexpr size_t kQueueShown = 100;
constexpr size_t kPointsShown = 500;
// Nothing from elsewhere is loaded, run or asked, and no other page can have this one in a frame.
// The charts' library writes style attributes.
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

HttpReply FileReply(const char* type, absl::string_view bytes) {
  return {.content_type = absl::StrCat(type, "; charset=utf-8"), .body = std::string(bytes)};
}

HttpReply NotFound(const absl::Status& status) {
  return {.status = 404, .body = std::string(status.message()) + "\n"};
}

// "id=j-1": ids and names have no characters that a query would encode.
std::string IdOf(absl::string_view query) {
  return absl::ConsumePrefix(&query, "id=") ? std::string(query) : "";
}

}  // namespace

void StatusPage::AddTo(HttpRoutes* routes) const {
  (*routes)["/"] = [] {
    HttpReply page = FileReply("text/html", embedded::kStatusPageHtml);
    page.policy = kPolicy;
    return page;
  };
  const ChartFiles& charts = ServedChartFiles();
  const std::tuple<const char*, const char*, absl::string_view> files[] = {
      {"/charts.css", "text/css", charts.style},
      {"/charts.js", "text/javascript", charts.script},
      {"/charts.txt", "text/plain", charts.licence},
      {"/status_page.css", "text/css", embedded::kStatusPageCss},
      {"/status_page.js", "text/javascript", embedded::kStatusPageJs},
      {"/page_cache.js", "text/javascript", embedded::kPageCacheJs},
      {"/page_compare.js", "text/javascript", embedded::kPageCompareJs},
      {"/page_parts.js", "text/javascript", embedded::kPagePartsJs}};
  for (const auto& [path, type, bytes] : files) {
    (*routes)[path] = [type = type, bytes = bytes] { return FileReply(type, bytes); };
  }
  (*routes)["/api/page"] = [this] { return Page(); };
  (*routes)["/api/jobs"] = [this] { return Jobs(); };
  (*routes)["/api/queue"] = [this] { return Queue(); };
  (*routes)["/api/workers"] = [this] { return Workers(); };
}

HttpQueryRoutes StatusPage::QueryRoutes() const {
  return {{"/api/job", [this](const std::string& query) { return Job(query); }},
          {"/api/metrics", [this](const std::string& query) { return Metrics(query); }},
          {"/api/compare", [this](const std::string& query) { return Compare(query); }}};
}

HttpReply StatusPage::Page() const {
  JsonObject json;
  json.Add("wants_token", facts_.wants_token);
  json.Add("no_changes", std::string(facts_.changes.message()));
  json.Add("cache", facts_.cache);
  return {.content_type = "application/json", .body = json.Text()};
}

HttpReply StatusPage::Jobs() const {
  JobFilter filter;
  filter.page_size = kJobsShown;
  pb::ListJobsResponse response;
  for (const JobPtr& job : coordinator_->ListJobs(filter).jobs) {
    *response.add_jobs() = ToListedProto(*job);
  }
  return JsonReply(response);
}

HttpReply StatusPage::Queue() const {
  QueueView queue = coordinator_->Queue();
  if (queue.waiting.size() > kQueueShown) queue.waiting.resize(kQueueShown);
  return JsonReply(ToProto(queue));
}

HttpReply StatusPage::Workers() const {
  pb::ListWorkersResponse response;
  for (const WorkerView& worker : coordinator_->ListWorkers()) {
    *response.add_workers() = ToProto(worker);
  }
  return JsonReply(response);
}

HttpReply StatusPage::Job(const std::string& query) const {
  const absl::StatusOr<JobPtr> job = coordinator_->GetJob(IdOf(query));
  if (!job.ok()) return NotFound(job.status());
  absl::StatusOr<std::string> config = coordinator_->ReadConfig((*job)->job_id);
  if (!config.ok()) return NotFound(config.status());
  pb::GetJobResponse response;
  *response.mutable_job() = ToProto(**job, *std::move(config));
  return JsonReply(response);
}

HttpReply StatusPage::Metrics(const std::string& query) const {
  const absl::StatusOr<JobPtr> job = coordinator_->GetJob(IdOf(query));
  if (!job.ok()) return NotFound(job.status());
  const auto curves = coordinator_->metrics().Get({(*job)->job_id, {}, kPointsShown});
  if (!curves.ok()) return NotFound(curves.status());
  pb::MetricsResponse response;
  Fill(**curves, &response);
  response.set_job_id((*job)->job_id);
  return JsonReply(response);
}

// "jobs=j-1,j-2", as ids or names.
HttpReply StatusPage::Compare(const std::string& query) const {
  absl::string_view list = query;
  (void)absl::ConsumePrefix(&list, "jobs=");
  const std::vector<std::string> wanted = absl::StrSplit(list, ',', absl::SkipEmpty());
  if (wanted.empty() || wanted.size() > kRunsMax) {
    return {.status = 400,
            .body = absl::StrCat(wanted.size(), " jobs are named; 1 to ", kRunsMax,
                                 " can be shown: /api/compare?jobs=ID,ID\n")};
  }
  std::vector<ShownRun> runs;
  std::set<std::string> ids;
  for (const std::string& each : wanted) {
    const absl::StatusOr<JobPtr> job = coordinator_->GetJob(each);
    if (!job.ok()) return NotFound(job.status());
    if (!ids.insert((*job)->job_id).second) continue;
    absl::StatusOr<std::string> config = coordinator_->ReadConfig((*job)->job_id);
    if (!config.ok()) return NotFound(config.status());
    auto curves = coordinator_->metrics().Get({(*job)->job_id, {}, kPointsShown});
    if (!curves.ok()) return NotFound(curves.status());
    runs.push_back({*job, *std::move(config), *std::move(curves)});
  }
  return {.content_type = "application/json", .body = CompareJson(runs)};
}

}  // namespace fpo::coordinator
