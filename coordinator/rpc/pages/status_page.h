#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/observe/http_server.h"
#include "coordinator/core/coordinator.h"

namespace fpo::coordinator {

// The status page: status_page.html with its style and scripts, which the build embeds, and the
// JSON it reads, which is the proto3 JSON of the service's responses. What it changes, PageActions
// changes; what it knows of the cache, PageCache knows.
class StatusPage {
 public:
  struct Facts {  // for /api/page
    bool wants_token = false;
    absl::Status changes = {};  // OK, or why the page may change nothing
    std::string cache = {};     // its address; "": not known
  };
  StatusPage(Coordinator* coordinator, Facts facts)
      : coordinator_(coordinator), facts_(std::move(facts)) {}

  // Adds /, the files it loads, /api/page, /api/jobs, /api/queue and /api/workers to the plain
  // routes.
  void AddTo(HttpRoutes* routes) const;
  // /api/job?id=, /api/metrics?id= and /api/compare?jobs=.
  HttpQueryRoutes QueryRoutes() const;

 private:
  HttpReply Page() const;
  HttpReply Jobs() const;
  HttpReply Queue() const;
  HttpReply Workers() const;
  HttpReply Job(const std::string& query) const;
  HttpReply Metrics(const std::string& query) const;
  HttpReply Compare(const std::string& query) const;

  Coordinator* const coordinator_;
  const Facts facts_;
};

}  // namespace fpo::coordinator
