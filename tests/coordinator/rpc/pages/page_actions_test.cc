#include "coordinator/rpc/pages/page_actions.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/rpc/test_server.h"
#include "tests/support/web/http_get.h"

namespace fpo::coordinator {
namespace {

using ::fpo::testing::Exchange;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Tokens are the names.
class PageActionsTest : public ::testing::Test {
 protected:
  void Guard() {
    AccessList list;
    const std::vector<Principal> people = {
        {"ana", Role::kUser}, {"bob", Role::kUser}, {"eve", Role::kReader}, {"root", Role::kAdmin}};
    for (const Principal& each : people) {
      list.mutable_entries().push_back({.principal = each, .token_sha256 = Sha256Of(each.name)});
    }
    server_.Guard(list);
  }
  // As the page does it; "200 {...}".
  std::string Post(const std::string& action, const std::string& body, const std::string& token,
                   const std::string& headers = "X-FPO-Page: 1\r\n") {
    const std::string bearer =
        token.empty() ? "" : absl::StrCat("Authorization: Bearer ", token, "\r\n");
    const std::string answer =
        Exchange(server_.http_address(),
                 absl::StrCat("POST /api/", action, " HTTP/1.1\r\nHost: ", server_.http_address(),
                              "\r\n", headers, bearer,
                              "Content-Type: application/json\r\nContent-Length: ", body.size(),
                              "\r\n\r\n", body));
    const size_t head = answer.find("\r\n\r\n");
    return head == std::string::npos ? answer : answer.substr(9, 3) + " " + answer.substr(head + 4);
  }
  static std::string Of(const std::string& job) {
    return absl::StrCat("{\"job_id\":\"", job, "\"}");
  }
  pb::ListAuditResponse Audit(const std::string& token) {
    pb::ListAuditResponse response;
    EXPECT_TRUE(server_.As(token)
                    ->Call(&pb::Coordinator::Stub::ListAudit, pb::ListAuditRequest(), &response)
                    .ok());
    return response;
  }

  TestServer server_;
};

TEST_F(PageActionsTest, HoldsReleasesCancelsAndRetries) {
  server_.Start();
  const std::string id = server_.user().Submit("tiny");
  EXPECT_THAT(Post("hold", Of(id), ""), HasSubstr("\"state\":\"HELD\""));
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_HELD);
  EXPECT_THAT(Post("hold", Of(id), ""), StartsWith("200")) << "again";
  EXPECT_THAT(Post("release", Of(id), ""), HasSubstr("\"state\":\"QUEUED\""));
  const std::string again = absl::StrCat("{\"job_id\":\"", id, "\",\"request_id\":\"page-1\"}");
  EXPECT_THAT(Post("retry", again, ""), StartsWith("409")) << "it has not ended";
  EXPECT_THAT(Post("retry", Of(id), ""), StartsWith("400")) << "without a request id";
  EXPECT_THAT(Post("cancel", Of(id), ""), StartsWith("200"));
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_CANCELLED);
  const std::string first = Post("retry", again, "");
  EXPECT_THAT(first, StartsWith("200"));
  EXPECT_EQ(Post("retry", again, ""), first) << "one request, one job";
  EXPECT_THAT(Post("pause", Of(id), ""), StartsWith("409"));
  EXPECT_THAT(Post("resume", Of("nobody"), ""), StartsWith("404"));
}

TEST_F(PageActionsTest, WhatIsNoSuchRequestIsRefused) {
  server_.Start();
  const std::string id = server_.user().Submit("tiny");
  EXPECT_THAT(Post("cancel", "{\"job_id\":", ""), StartsWith("400"));
  EXPECT_THAT(Post("cancel", "{\"job\":\"x\"}", ""), HasSubstr("fpo.v1.CancelJobRequest"));
  EXPECT_THAT(Post("cancel", "", ""), Not(StartsWith("200"))) << "no job is named";
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_QUEUED);
}

TEST_F(PageActionsTest, TheTokenDecidesAsOverGrpc) {
  Guard();
  server_.Start();
  const std::string id = server_.As("ana")->Submit("tiny");
  EXPECT_THAT(Post("cancel", Of(id), ""), StartsWith("401"));
  EXPECT_THAT(Post("cancel", Of(id), "mallory"), StartsWith("401"));
  EXPECT_THAT(Post("cancel", Of(id), "two words"), StartsWith("401"));
  EXPECT_THAT(Post("cancel", Of(id), "eve"), StartsWith("403"));
  const std::string foreign = Post("cancel", Of(id), "bob");
  EXPECT_THAT(foreign, StartsWith("403"));
  EXPECT_THAT(foreign, HasSubstr("belongs to ana; you are bob"));
  EXPECT_THAT(foreign, HasSubstr("\"hint\":\"only its owner and admins"));
  EXPECT_THAT(Post("hold", Of(id), "ana"), StartsWith("200"));
  EXPECT_THAT(Post("cancel", Of(id), "root"), StartsWith("200"));
}

TEST_F(PageActionsTest, IsAuditedAsAnyCall) {
  Guard();
  server_.Start();
  const std::string id = server_.As("ana")->Submit("tiny");
  Post("hold", Of(id), "ana");
  Post("cancel", Of(id), "bob");
  Post("cancel", Of(id), "");
  const pb::ListAuditResponse audit = Audit("root");
  ASSERT_GE(audit.entries_size(), 3);
  EXPECT_EQ(audit.entries(0).who(), "the status page");
  EXPECT_EQ(audit.entries(0).result(), "UNAUTHENTICATED");
  EXPECT_EQ(audit.entries(1).who(), "bob");
  EXPECT_EQ(audit.entries(1).result(), "PERMISSION_DENIED");
  EXPECT_EQ(audit.entries(2).who(), "ana");
  EXPECT_EQ(audit.entries(2).method(), "HoldJob");
  EXPECT_EQ(audit.entries(2).target(), id);
  const std::string metrics = fpo::testing::HttpGet(server_.http_address(), "/metrics");
  EXPECT_THAT(metrics, HasSubstr("grpc_method=\"HoldJob\""));
}

TEST_F(PageActionsTest, APageOfAnotherSiteChangesNothing) {
  server_.Start();
  const std::string id = server_.user().Submit("tiny");
  EXPECT_THAT(Post("cancel", Of(id), "", ""), StartsWith("403")) << "a form";
  EXPECT_THAT(Post("cancel", Of(id), "", "X-FPO-Page: 1\r\nOrigin: http://evil.example\r\n"),
              StartsWith("403"));
  EXPECT_THAT(fpo::testing::HttpGet(server_.http_address(), "/api/cancel?job_id=" + id),
              StartsWith("HTTP/1.1 405"));
  EXPECT_EQ(server_.user().Get(id).state(), pb::JOB_STATE_QUEUED);
}

// Such a coordinator asks its callers for certificates, and a channel within it would have none.
TEST_F(PageActionsTest, WhereCertificatesTellCallersThePageChangesNothing) {
  const auto channel = MakeChannel("127.0.0.1:1").value();
  ListenOptions listen;
  EXPECT_TRUE(PageActions(channel, listen).allowed().ok());
  listen.tls.ca = "ca.pem";
  const PageActions actions(channel, listen);
  EXPECT_TRUE(absl::IsPermissionDenied(actions.allowed()));
  HttpReply said;
  actions.Routes().at("/api/cancel").answer({.body = Of("j-1")}, [&](HttpReply reply) {
    said = std::move(reply);
  });
  EXPECT_EQ(said.status, 403);
  EXPECT_THAT(said.body, HasSubstr("by their certificates"));
  listen.access = "list.json";
  EXPECT_TRUE(PageActions(channel, listen).allowed().ok()) << "tokens tell them";
}

}  // namespace
}  // namespace fpo::coordinator
