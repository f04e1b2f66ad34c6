// fpo-coordinator --webhooks with a real receiver, and a kill in between.

#include <signal.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/common/http/post_receiver.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "a secret of more than sixteen bytes";

// What Python's hmac makes of a request, as a receiver would check it.
std::string SignatureByPython(const json& request) {
  const std::string program = R"(
import hashlib, hmac, json, sys
request = json.loads(sys.argv[1])
message = request["headers"]["x-fpo-timestamp"] + "." + request["body"]
print("sha256=" + hmac.new(sys.argv[2].encode(), message.encode(), hashlib.sha256).hexdigest())
)";
  const Outcome outcome = RunProgram({"/usr/bin/python3", "-c", program, request.dump(), kSecret});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out.substr(0, outcome.out.find('\n'));
}

std::string EventOf(const json& request) {
  const json body = json::parse(request["body"].get<std::string>());
  return absl::StrCat(body["event"].get<std::string>(), " ",
                      body["job"]["name"].get<std::string>());
}

class WebhooksTest : public ::testing::Test {
 protected:
  static std::string HookFile(const TempFolder& folder, const PostReceiver& receiver) {
    WriteWhole(folder / "secret", kSecret);
    WriteWhole(folder / "hooks.yaml",
               absl::StrCat("hooks:\n- name: ops\n  url: ", receiver.url(),
                            "/hook?token=t0ps3cret\n  secret_file: secret\n"
                            "  events: [succeeded, failed, cancelled, held, budget_broken]\n"));
    return folder / "hooks.yaml";
  }
};

TEST_F(WebhooksTest, AJobsEndIsToldSignedAndSurvivesAKill) {
  // Refused at first; a redirect is no delivery either.
  const PostReceiver receiver("503,302");
  const TempFolder folder;
  LocalService service(
      {.trainer = "fake", .coordinator_flags = {"--webhooks", HookFile(folder, receiver)}});
  service.StartAll();
  const auto submit = [&](const std::string& name, const std::string& how,
                          const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"submit", service.WriteFakeJob(name, how), "-q"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(service.Ctl(words).code, 0);
  };
  submit("waits", "steps-1-1-1", {"--hold"});
  std::vector<json> requests = receiver.WaitFor(3);  // 503, 302, and taken
  ASSERT_GE(requests.size(), 3u) << service.Log("coordinator");
  std::set<std::string> ids;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(requests[i]["path"], "/hook?token=t0ps3cret") << "redirects are not followed";
    EXPECT_EQ(EventOf(requests[i]), "held waits");
    EXPECT_EQ(requests[i]["headers"]["x-fpo-event"], "held");
    EXPECT_EQ(requests[i]["headers"]["x-fpo-signature"], SignatureByPython(requests[i]));
    ids.insert(requests[i]["headers"]["x-fpo-delivery"]);
  }
  EXPECT_EQ(ids.size(), 1u) << "repetitions can be dropped by their id";

  submit("runs", "steps-3-1-1", {"--wait"});
  requests = receiver.WaitFor(4);
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(EventOf(requests[3]), "succeeded runs");
  const std::string log = service.Log("coordinator");
  EXPECT_THAT(log, HasSubstr("a webhook was not told of a job"));
  EXPECT_THAT(log, Not(HasSubstr("t0ps3cret")));
  EXPECT_THAT(log, Not(HasSubstr(kSecret)));
  EXPECT_THAT(service.Http("coordinator", "/metrics"),
              HasSubstr("fpo_webhook_deliveries_total{hook=\"ops\",result=\"delivered\"} 2"));
}

TEST_F(WebhooksTest, WhatAReceiverMissedIsToldAfterTheCoordinatorIsKilled) {
  const TempFolder folder;
  std::string port;
  std::string hooks;
  {
    const PostReceiver gone("");
    port = gone.port();
    hooks = HookFile(folder, gone);
  }  // nobody listens there
  LocalService service({.trainer = "fake", .coordinator_flags = {"--webhooks", hooks}});
  service.StartAll();
  const auto submit = [&](const std::string& name) {
    EXPECT_EQ(
        service.Ctl({"submit", service.WriteFakeJob(name, "steps-3-1-1"), "-q", "--wait"}).code, 0);
  };
  submit("first");
  submit("second");
  service.Kill("coordinator");
  const PostReceiver receiver("", port);
  service.Start("coordinator");
  std::vector<json> requests = receiver.WaitFor(2);
  ASSERT_EQ(requests.size(), 2u) << service.Log("coordinator");
  EXPECT_EQ(EventOf(requests[0]), "succeeded first");
  EXPECT_EQ(EventOf(requests[1]), "succeeded second");
  service.Kill("coordinator");
  service.Start("coordinator");
  submit("third");
  requests = receiver.WaitFor(3);
  // The last delivery's mark may have been lost with the kill: then it is told again, by its id.
  std::set<std::string> told, ids;
  for (const json& request : requests) {
    told.insert(EventOf(request));
    ids.insert(request["headers"]["x-fpo-delivery"]);
  }
  EXPECT_EQ(told.size(), ids.size());
  EXPECT_LE(requests.size(), 4u);
}

TEST_F(WebhooksTest, AFileThatIsWrongStopsTheStart) {
  const TempFolder folder;
  WriteWhole(folder / "hooks.yaml", "hooks:\n- {name: a, url: 'http://far/x', events: [failed]}\n");
  const Outcome outcome =
      RunProgram({Environment("FPO_BIN_DIR") + "/fpo-coordinator", "--data", folder / "data",
                  "--webhooks", folder / "hooks.yaml", "--check-config"});
  EXPECT_NE(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("hooks.yaml:2: url: would send to far unencrypted"));
}

}  // namespace
}  // namespace fpo::testing
