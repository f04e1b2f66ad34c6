#include "coordinator/core/provision/kubernetes_engine.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/coordinator/core/provision/fake_programs.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPod[] =
    R"json({"metadata":{"labels":{"app":"fpo"}},"spec":{"restartPolicy":"Never","containers":[
    {"name":"worker","image":"i","args":["fpo-worker","--name=$(POD_NAME)"],
    "resources":{"limits":{"nvidia.com/gpu":4}}}]}})json";

std::string JobSet() {
  return std::string(R"({"apiVersion":"jobset.x-k8s.io/v1alpha2","kind":"JobSet",
    "metadata":{"name":"fpo-worker","labels":{"kueue.x-k8s.io/queue-name":"team"}},
    "spec":{"replicatedJobs":[{"name":"w","replicas":1,"template":{"spec":{"template":)") +
         kPod + "}}}]}}";
}
std::string PlainJob() {
  return std::string(R"({"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"fpo-worker"},
    "spec":{"template":)") +
         kPod + "}}";
}

class KubernetesEngineTest : public ::testing::Test {
 protected:
  KubernetesEngineTest() {
    pool_.name = "gpu";
    pool_.engine = EngineKind::kKubernetes;
    pool_.device = DeviceKind::kCuda;
    pool_.slots_per_worker = 4;
    pool_.labels = {{"pool", "gpu"}};
    pool_.kubernetes.manifest = JobSet();
    pool_.kubernetes.name_space = "lab";
    request_.id = "0a1b";
    request_.pool = "gpu";
    request_.workers = 3;
  }
  KubernetesEngine Engine() { return KubernetesEngine(pool_, programs_.Runner()); }
  std::string Refusal(const std::string& manifest) {
    pool_.kubernetes.manifest = manifest;
    return std::string(CheckManifest(pool_).message());
  }
  static std::string Changed(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  }

  ProvisionPool pool_;
  ProvisionRequest request_;
  FakePrograms programs_;
};

TEST_F(KubernetesEngineTest, OneJobSetHoldsTheGang) {
  programs_.Answer("");
  programs_.Answer("created");
  EXPECT_EQ(Engine().Ask(request_).value(), "fpo-worker-0a1b");
  EXPECT_THAT(programs_.lines,
              ElementsAre("kubectl get jobsets.jobset.x-k8s.io fpo-worker-0a1b --ignore-not-found "
                          "--output=json --namespace=lab",
                          "kubectl create --filename=-"));
  const auto object = nlohmann::json::parse(programs_.inputs[1]);
  EXPECT_EQ(object["metadata"]["namespace"], "lab");
  EXPECT_EQ(object["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "team");
  EXPECT_EQ(object["metadata"]["labels"]["fpo-request"], "0a1b");
  const auto job = object["spec"]["replicatedJobs"][0]["template"]["spec"];
  EXPECT_EQ(job["parallelism"], 3);
  EXPECT_EQ(job["completions"], 3);
  EXPECT_EQ(job["template"]["metadata"]["labels"]["app"], "fpo");
  const std::vector<std::string> args = job["template"]["spec"]["containers"][0]["args"];
  EXPECT_THAT(args,
              ElementsAre("fpo-worker", "--name=$(POD_NAME)", "--slots=4", "--device=cuda",
                          "--exit-when-idle=600s", "--label=pool=gpu", "--label=fpo-request=0a1b"));
}

TEST_F(KubernetesEngineTest, APlainJobWillDo) {
  pool_.kubernetes.manifest = PlainJob();
  const auto object = nlohmann::json::parse(ManifestOf(pool_, request_).value());
  EXPECT_EQ(object["spec"]["parallelism"], 3);
  EXPECT_EQ(object["spec"]["completionMode"], "Indexed");
  programs_.Answer("");
  EXPECT_TRUE(Engine().CallOff(request_).ok());
  EXPECT_THAT(programs_.lines[0], HasSubstr("kubectl delete jobs.batch fpo-worker-0a1b"));
}

TEST_F(KubernetesEngineTest, AnObjectThatIsThereIsNotMadeAgain) {
  programs_.Answer("{\"kind\":\"JobSet\"}");
  EXPECT_TRUE(Engine().Ask(request_).ok());
  EXPECT_EQ(programs_.lines.size(), 1u);
}

TEST_F(KubernetesEngineTest, AQuotaThatRefusesIsARefusal) {
  programs_.Answer("");
  programs_.Answer("", 1, "Error from server (Forbidden): exceeded quota");
  EXPECT_TRUE(absl::IsFailedPrecondition(Engine().Ask(request_).status()));
}

TEST_F(KubernetesEngineTest, SeesWhatBecameOfIt) {
  const auto look = [&](const std::string& status) {
    programs_.Answer(status.empty() ? "" : "{\"status\":" + status + "}");
    return Engine().Look(request_).value();
  };
  EXPECT_EQ(look(""), AllocationState::kGone);
  EXPECT_EQ(look("{}"), AllocationState::kQueued);
  EXPECT_EQ(look(R"({"active":3})"), AllocationState::kRunning);
  EXPECT_EQ(look(R"({"replicatedJobsStatus":[{"name":"w","ready":0,"suspended":1}]})"),
            AllocationState::kQueued)
      << "Kueue has not admitted it";
  EXPECT_EQ(look(R"({"replicatedJobsStatus":[{"name":"w","active":1,"ready":0}]})"),
            AllocationState::kRunning);
  EXPECT_EQ(look(R"({"replicatedJobsStatus":[{"name":"w","ready":1}]})"),
            AllocationState::kRunning);
  EXPECT_EQ(look(R"({"conditions":[{"type":"Complete","status":"True"}]})"),
            AllocationState::kGone);
  EXPECT_EQ(look(R"({"conditions":[{"type":"Completed","status":"True"}]})"),
            AllocationState::kGone);
  EXPECT_EQ(look(R"({"conditions":[{"type":"Failed","status":"False"}]})"),
            AllocationState::kQueued);
  programs_.Answer("no json");
  EXPECT_TRUE(absl::IsUnavailable(Engine().Look(request_).status()));
}

TEST_F(KubernetesEngineTest, RefusesManifestsThatWouldNotDoWhatThePoolSays) {
  EXPECT_EQ(Refusal(JobSet()), "");
  EXPECT_THAT(Refusal("{"), HasSubstr("the manifest of pool gpu: "));
  EXPECT_THAT(Refusal(R"({"kind":"Deployment"})"), HasSubstr("neither Job nor JobSet"));
  EXPECT_THAT(Refusal(Changed(JobSet(), "\"replicas\":1", "\"replicas\":2")),
              HasSubstr("replicas of its Job must be 1"));
  EXPECT_THAT(Refusal(Changed(JobSet(), "--name=$(POD_NAME)", "--slots=2")),
              HasSubstr("args have --slots, which the pool decides"));
  EXPECT_THAT(Refusal(Changed(JobSet(), "\"nvidia.com/gpu\":4", "\"nvidia.com/gpu\":8")),
              HasSubstr("have nvidia.com/gpu 8, and slots_per_worker is 4"));
  EXPECT_THAT(Refusal(Changed(JobSet(), "\"args\"", "\"arguments\"")),
              HasSubstr("its first container has no args"));
  EXPECT_THAT(Refusal(Changed(JobSet(), "fpo-worker\"", std::string(41, 'x') + "\"")),
              HasSubstr("1 to 40 characters"));
}

}  // namespace
}  // namespace fpo::coordinator
