#include "coordinator/rpc/pages/status_page.h"

#include <google/protobuf/util/json_util.h>
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/wire/wire_json.h"
#include "coordinator/rpc/convert.h"

namespace fpo::embedded {

extern const absl::string_view kStatusPageHtml, kStatusPageCss, kStatusPageJs;

}  // namespace fpo::embedded

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr int32_t kJobsShown = 100;
constexpr size_t kQueueShown = 100;
constexpr size_t kPointsShown = 500;
constexpr char kJsonType[] = "application/json";

HttpReply JsonReply(const google::protobuf::Message& message) {
  HttpReply reply;
  reply.content_type = kJsonType;
  reply.body = WireJson(message, JsonFields::kSet);
  return reply;
}

HttpReply FileReply(const char* type, absl::string_view bytes) {
  return {.content_type = absl::StrCat(type, "; charset=utf-8"), .body = std::string(bytes)};
}

HttpReply ErrorReply(const absl::Status& status) {
  return {.status = 404, .body = std::string(status.message()) + "\n"};
}

// "id=j-1": ids and names have no characters that a query would encode.
std::string IdOf(absl::string_view query) {
  return absl::ConsumePrefix(&query, "id=") ? std::string(query) : "";
}

}  // namespace

void StatusPage::AddTo(HttpRoutes* routes) const {
  (*routes)["/"] = [] { return FileReply("text/html", embedded::kStatusPageHtml); };
  (*routes)["/status_page.css"] = [] { return FileReply("text/css", embedded::kStatusPageCss); };
  (*routes)["/status_page.js"] = [] {
    return FileReply("text/javascript", embedded::kStatusPageJs);
  };
  (*routes)["/api/jobs"] = [this] { return Jobs(); };
  (*routes)["/api/queue"] = [this] { return Queue(); };
  (*routes)["/api/workers"] = [this] { return Workers(); };
}

HttpQueryRoutes StatusPage::QueryRoutes() const {
  return {{"/api/job", [this](const std::string& query) { return Job(query); }},
          {"/api/metrics", [this](const std::string& query) { return Metrics(query); }}};
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
  if (!job.ok()) return ErrorReply(job.status());
  absl::StatusOr<std::string> config = coordinator_->ReadConfig((*job)->job_id);
  if (!config.ok()) return ErrorReply(config.status());
  pb::GetJobResponse response;
  *response.mutable_job() = ToProto(**job, *std::move(config));
  return JsonReply(response);
}

HttpReply StatusPage::Metrics(const std::string& query) const {
  const absl::StatusOr<JobPtr> job = coordinator_->GetJob(IdOf(query));
  if (!job.ok()) return ErrorReply(job.status());
  const auto curves = coordinator_->metrics().Get({(*job)->job_id, {}, kPointsShown});
  if (!curves.ok()) return ErrorReply(curves.status());
  pb::MetricsResponse response;
  Fill(**curves, &response);
  response.set_job_id((*job)->job_id);
  return JsonReply(response);
}

}  // namespace fpo::coordinator
