// The configuration of deploy/envoy/ with a real Envoy: a user and an agent go through it over TLS,
// and a job runs to its end.

#include <iostream>

#include "gtest/gtest.h"
#include "tests/chaos/load/envoy_front.h"
#include "tests/chaos/service_chaos.h"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

TEST(EnvoyChaos, AJobRunsThroughIt) {
  if (!EnvoyFront::IsThere()) GTEST_SKIP() << "no Envoy: FPO_ENVOY names none";
  LocalService service({.trainer = "fake"});
  service.Start("cache");
  service.Start("coordinator");
  EnvoyFront envoy(&service, /*tls=*/true);
  service.WorkerDials(envoy.coordinator(), envoy.cache());
  service.StartWorker("worker", {"--tls-ca", envoy.certificate(), "--allow-root", "--root",
                                 service.Path(""), "--output-root", service.Path("")});
  const std::vector<std::string> through = {"--server", envoy.coordinator(), "--tls-ca",
                                            envoy.certificate()};
  const auto ctl = [&](std::vector<std::string> words) {
    words.insert(words.end(), through.begin(), through.end());
    return service.Ctl(words);
  };
  const Outcome submit = ctl({"submit", service.WriteFakeJob("job", "steps-40-10-20"), "-q"});
  ASSERT_EQ(submit.code, 0) << submit.err;
  const std::string id = submit.out.substr(0, submit.out.find('\n'));
  EXPECT_EQ(ctl({"wait", id}).code, 0);
  EXPECT_EQ(ctl({"logs", "-f", id}).code, 0);
  EXPECT_EQ(service.Describe(id).value("state", ""), "SUCCEEDED");
  std::cout << "envoy: a job went through it over TLS, from submit to logs" << std::endl;
}

}  // namespace
}  // namespace fpo::testing
