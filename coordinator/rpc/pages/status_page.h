#pragma once

#include <string>

#include "common/observe/http_server.h"
#include "coordinator/core/coordinator.h"

namespace fpo::coordinator {

// The read-only status page: status_page.html with its style and script, which the build embeds,
// and the JSON it reads, which is the proto3 JSON of the service's responses. It changes nothing.
class StatusPage {
 public:
  explicit StatusPage(Coordinator* coordinator) : coordinator_(coordinator) {}

  // Adds /, /status_page.css, /status_page.js, /api/jobs, /api/queue and /api/workers to the plain
  // routes.
  void AddTo(HttpRoutes* routes) const;
  // /api/job?id= and /api/metrics?id=.
  HttpQueryRoutes QueryRoutes() const;

 private:
  HttpReply Jobs() const;
  HttpReply Queue() const;
  HttpReply Workers() const;
  HttpReply Job(const std::string& query) const;
  HttpReply Metrics(const std::string& query) const;

  Coordinator* const coordinator_;
};

}  // namespace fpo::coordinator
