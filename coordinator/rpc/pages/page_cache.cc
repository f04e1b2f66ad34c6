#include "coordinator/rpc/pages/page_cache.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "coordinator/rpc/pages/page_call.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr absl::Duration kCacheDeadline = absl::Seconds(5);
constexpr size_t kJobsSeenMax = 2000;    // the newest ones
constexpr size_t kJobsPerManifest = 20;  // named; the others are counted
constexpr int kManifestsShown = 200;     // the last used ones

// The three calls that make one view; the last to end replies.
struct CacheView {
  grpc::ClientContext contexts[3];
  pb::StatsRequest stats_request;
  pb::ListManifestsRequest manifests_request;
  pb::ListRecipesRequest recipes_request;
  pb::StatsResponse stats;
  pb::ListManifestsResponse manifests;
  pb::ListRecipesResponse recipes;

  absl::Mutex mutex;
  int open ABSL_GUARDED_BY(mutex) = 3;
  absl::Status failure ABSL_GUARDED_BY(mutex);
  std::function<void(CacheView& view, const absl::Status& status)> reply;

  void End(const grpc::Status& status) {
    absl::Status first;
    {
      absl::MutexLock lock(&mutex);
      if (!status.ok() && failure.ok()) failure = FromGrpcStatus(status);
      if (--open > 0) return;
      first = failure;
    }
    reply(*this, first);
  }
};

// The last used ones, without their recipes, which the view has once each.
int64_t KeepNewest(pb::ListManifestsResponse* list) {
  const int64_t count = list->manifests_size();
  auto* all = list->mutable_manifests();
  std::sort(all->begin(), all->end(), [](const pb::Manifest& a, const pb::Manifest& b) {
    return std::pair(a.used().seconds(), a.manifest_id()) >
           std::pair(b.used().seconds(), b.manifest_id());
  });
  if (count > kManifestsShown) {
    all->DeleteSubrange(kManifestsShown, static_cast<int>(count) - kManifestsShown);
  }
  for (pb::Manifest& manifest : *all) manifest.clear_recipe();
  return count;
}

absl::Status Unreachable(const std::string& address, const absl::Status& status) {
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  return WithErrorInfo(absl::UnavailableError(absl::StrCat(
                           "the cache at ", address, " is not reachable: ", status.message())),
                       {.hint = "jobs that need records wait for it; is fpo-cache running there?"});
}

std::string JobJson(const Job& job) {
  const CacheUse& use = job.progress.cache;
  JsonObject json;
  json.Add("job_id", job.job_id);
  json.Add("name", job.name);
  json.Add("owner", job.owner);
  json.Add("state", std::string(Name(job.state)));
  json.Add("hit", use.records_hit);
  json.Add("computed", use.records_computed);
  return json.Text();
}

// What hits saved of one recipe.
struct Saved {
  double seconds = 0;
  int64_t jobs = 0;        // whose savings are known
  int64_t unmeasured = 0;  // jobs with hits whose builders measured nothing
};

}  // namespace

std::string CacheUsesJson(const std::vector<JobPtr>& jobs, bool all) {
  std::map<std::string, std::vector<std::string>> by_manifest;
  std::map<std::string, int64_t> counts;
  std::map<std::string, Saved> by_recipe;
  for (const JobPtr& job : jobs) {
    const CacheUse& use = job->progress.cache;
    if (use.manifest_id.empty()) continue;
    ++counts[use.manifest_id];
    std::vector<std::string>& named = by_manifest[use.manifest_id];
    if (named.size() < kJobsPerManifest) named.push_back(JobJson(*job));
    if (use.records_hit == 0) continue;
    Saved& saved = by_recipe[use.recipe_id];
    saved.seconds += use.saved_seconds;
    ++(use.saved_seconds > 0 ? saved.jobs : saved.unmeasured);
  }
  JsonObject uses, saved;
  for (const auto& [manifest, named] : by_manifest) {
    JsonObject one;
    one.Add("count", counts[manifest]);
    one.AddRaw("jobs", JsonArray(named));
    uses.AddRaw(manifest, one.Text());
  }
  for (const auto& [recipe, sum] : by_recipe) {
    JsonObject one;
    one.Add("seconds", sum.seconds);
    one.Add("jobs", sum.jobs);
    one.Add("unmeasured", sum.unmeasured);
    saved.AddRaw(recipe, one.Text());
  }
  JsonObject json;
  json.AddRaw("manifests", uses.Text());
  json.AddRaw("saved", saved.Text());
  json.Add("seen", static_cast<int64_t>(jobs.size()));
  json.Add("all", all);
  return json.Text();
}

absl::StatusOr<std::unique_ptr<PageCache>> PageCache::Create(Options options,
                                                             Coordinator* coordinator) {
  std::unique_ptr<PageCache> page(new PageCache(std::move(options), coordinator));
  if (page->options_.address.empty()) return page;
  FPO_ASSIGN_OR_RETURN(const auto channel,
                       MakeChannel(page->options_.address, {.tls = page->options_.tls}));
  page->stub_ = pb::ReferenceCache::NewStub(channel);
  return page;
}

HttpCallRoutes PageCache::Routes() const {
  return {{"/api/cache", {.answer = [this](const HttpCall& call, PageReply reply) {
             Answer(call, std::move(reply));
           }}}};
}

absl::Status PageCache::CheckToken(const std::string& token) const {
  if (stub_ == nullptr) {
    return WithErrorInfo(absl::FailedPreconditionError("this coordinator knows no cache"),
                         {.hint = "start fpo-coordinator with --cache HOST:PORT"});
  }
  // Without one the cache would answer the coordinator's own certificate, whoever looks.
  if (token.empty() && options_.has_list) {
    return WithErrorInfo(
        absl::UnauthenticatedError("the cache is shown to those with a token"),
        {.reason = ErrorReason::kUnauthenticated, .hint = "enter yours at the top of the page"});
  }
  if (!token.empty() && options_.tls.ca.empty() && !IsLoopback(options_.address)) {
    return WithErrorInfo(absl::PermissionDeniedError(
                             absl::StrCat("a token is sent only over TLS or to this machine, and ",
                                          options_.address, " is neither")),
                         {.hint = "give the coordinator --cache-ca, or use fpoctl cache ls"});
  }
  return absl::OkStatus();
}

void PageCache::Answer(const HttpCall& call, PageReply reply) const {
  if (const absl::Status may = CheckToken(call.token); !may.ok()) return reply(ErrorReply(may));
  const auto view = std::make_shared<CacheView>();  // shared: three calls use it
  for (grpc::ClientContext& context : view->contexts) {
    const absl::Status added = AddToken(call.token, &context);
    if (!added.ok()) return reply(ErrorReply(added));
    SetDeadline(&context, kCacheDeadline);
  }
  view->reply = [this, reply = std::move(reply)](CacheView& seen, const absl::Status& status) {
    if (!status.ok()) return reply(ErrorReply(Unreachable(options_.address, status)));
    std::vector<JobPtr> jobs;
    JobFilter filter;
    filter.page_size = 500;
    do {
      JobPage page = coordinator_->ListJobs(filter);
      jobs.insert(jobs.end(), page.jobs.begin(), page.jobs.end());
      filter.page_token = page.next_page_token;
    } while (!filter.page_token.empty() && jobs.size() < kJobsSeenMax);
    JsonObject json;
    json.Add("address", options_.address);
    json.Add("manifests_count", KeepNewest(&seen.manifests));
    json.AddRaw("stats", WireJson(seen.stats, JsonFields::kAll));
    json.AddRaw("manifests", WireJson(seen.manifests, JsonFields::kAll));
    json.AddRaw("recipes", WireJson(seen.recipes, JsonFields::kAll));
    json.AddRaw("uses", CacheUsesJson(jobs, filter.page_token.empty()));
    reply({.content_type = "application/json", .body = json.Text()});
  };
  const auto end = [view](const grpc::Status& status) { view->End(status); };
  stub_->async()->Stats(&view->contexts[0], &view->stats_request, &view->stats, end);
  stub_->async()->ListManifests(&view->contexts[1], &view->manifests_request, &view->manifests,
                                end);
  stub_->async()->ListRecipes(&view->contexts[2], &view->recipes_request, &view->recipes, end);
}

}  // namespace fpo::coordinator
