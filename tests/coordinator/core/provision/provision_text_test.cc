#include "coordinator/core/provision/provision_text.h"

#include "coordinator/core/provision/provision_pool.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

ProvisionPool TextPool() {
  ProvisionPool pool;
  pool.name = "gpu";
  pool.engine = EngineKind::kKubernetes;
  pool.slots_per_worker = 4;
  pool.max_workers = 2;
  return pool;
}

TEST(ProvisionText, SaysWhatWasAskedOfWhomAndHowFarItIs) {
  ProvisionRequest request;
  request.id = "0a1b";
  request.workers = 2;
  request.asked = kStart;
  request.attempt = 2;
  request.reference = "fpo-worker-0a1b";
  request.state = ProvisionRequest::State::kAsked;
  EXPECT_EQ(RequestNote(request, TextPool()),
            "asked Kubernetes for 2 workers at 2027-01-15T08:00:00Z (pool gpu, request "
            "fpo-worker-0a1b, attempt 2)");
  const absl::Time later = kStart + absl::Seconds(40) + absl::Milliseconds(700);
  const std::string begin =
      "asked Kubernetes for 2 workers of 4 slots 40s ago: request fpo-worker-0a1b of pool gpu, "
      "attempt 2";
  EXPECT_EQ(RequestLine(request, TextPool(), later), begin + "; queued there");
  request.started = kStart;
  EXPECT_EQ(RequestLine(request, TextPool(), later), begin + "; starting");
  request.arrived = 1;
  EXPECT_EQ(RequestLine(request, TextPool(), later), begin + "; 1 of 2 came");
  const std::string early = RequestLine(request, TextPool(), kStart - absl::Hours(1));
  EXPECT_NE(early.find(" 0 ago"), std::string::npos) << "no negative age: " << early;
}

TEST(ProvisionPool, HoldsWhatItsWorkersTogetherHold) {
  const ProvisionPool pool = TextPool();
  EXPECT_EQ(WorkersFor(pool, MakeJob("j", 1)), 1);
  EXPECT_EQ(WorkersFor(pool, MakeJob("j", 4)), 1);
  EXPECT_EQ(WorkersFor(pool, MakeJob("j", 5)), 2);
  EXPECT_TRUE(CanHold(pool, MakeJob("j", 8)));
  EXPECT_FALSE(CanHold(pool, MakeJob("j", 9)));
  EXPECT_EQ(NoPoolNote({pool}, MakeJob("j", 9)), "no pool may hold 9 slots");
  EXPECT_EQ(NoPoolNote({}, MakeJob("j", 9)), "");
}

}  // namespace
}  // namespace fpo::coordinator
