#include "coordinator/core/workers/name_claim.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

WorkerHello AgentOn(const std::string& host, const std::string& work_dir,
                    const std::string& instance) {
  WorkerHello hello = HelloOf("vm");
  hello.instance_id = instance;
  hello.host = host;
  hello.work_dir = work_dir;
  hello.home_id = host + work_dir;
  hello.boot_id = "boot-" + host;
  return hello;
}

// A holder whose heartbeat came a second ago; they come each two.
NameDispute Dispute(const WorkerHello& holder) {
  NameDispute dispute;
  dispute.holder = {holder, /*connected=*/true, kStart - absl::Seconds(1), std::nullopt};
  dispute.heartbeat = absl::Seconds(2);
  dispute.lease = absl::Seconds(14);
  dispute.now = kStart;
  return dispute;
}

const WorkerHello kFirst = AgentOn("node", "/srv/a", "i-1");
const WorkerHello kRestarted = AgentOn("node", "/srv/a", "i-2");
const WorkerHello kOther = AgentOn("node", "/srv/b", "i-3");

TEST(NameClaim, ANameThatIsAliveIsRefusedWithWhoHasIt) {
  const absl::Status status = MayTakeName(kOther, Dispute(kFirst));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kWorkerNameTaken);
  EXPECT_EQ(status.message(), "worker vm is connected from node (work dir /srv/a); use --name");
}

TEST(NameClaim, ASilentHolderIsWaitedForAsLongAsItsWorkMayRun) {
  NameDispute dispute = Dispute(kFirst);
  dispute.holder.last_heartbeat = kStart - absl::Seconds(7);
  EXPECT_EQ(ReasonOf(MayTakeName(kOther, dispute)), ErrorReason::kWorkerNameBusy);
  dispute.holder.connected = false;
  const absl::Status status = MayTakeName(kOther, dispute);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kWorkerNameBusy);
  EXPECT_THAT(std::string(status.message()), HasSubstr("may still run something for 14s"));
  dispute.lease = absl::ZeroDuration();
  EXPECT_TRUE(MayTakeName(kOther, dispute).ok());
}

TEST(NameClaim, ARestartedAgentHasItsNameAtOnce) {
  NameDispute dispute = Dispute(kFirst);
  dispute.holder.connected = false;
  EXPECT_TRUE(MayTakeName(kRestarted, dispute).ok()) << "its connection broke when it died";
  dispute.holder.connected = true;
  dispute.holder.last_heartbeat = kStart - absl::Seconds(7);
  EXPECT_TRUE(MayTakeName(kRestarted, dispute).ok()) << "its host died without a word";
  dispute.holder.last_heartbeat = kStart - absl::Seconds(5);
  EXPECT_EQ(ReasonOf(MayTakeName(kRestarted, dispute)), ErrorReason::kWorkerNameBusy)
      << "not sure yet";
}

TEST(NameClaim, ACopyOfAMachineIsFoundOut) {
  NameDispute dispute = Dispute(kFirst);
  dispute.holder.asked = kStart - absl::Seconds(2);
  EXPECT_EQ(ReasonOf(MayTakeName(kRestarted, dispute)), ErrorReason::kWorkerNameBusy)
      << "that heartbeat may have been on its way";
  dispute.holder.asked = kStart - absl::Seconds(4);
  const absl::Status status = MayTakeName(kRestarted, dispute);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kWorkerNameTaken);
  EXPECT_THAT(std::string(status.message()), HasSubstr("with a copy of this work dir; use --name"));
  WorkerHello copy = kRestarted;
  copy.boot_id = "of another machine";
  EXPECT_FALSE(IsSameHome(copy, kFirst));
  EXPECT_EQ(ReasonOf(MayTakeName(copy, Dispute(kFirst))), ErrorReason::kWorkerNameTaken)
      << "at once";
}

TEST(NameClaim, AnAgentThatDoesNotSayWhereItLivesIsTakenForTheSame) {
  WorkerHello older = kOther;
  older.home_id.clear();
  EXPECT_TRUE(IsSameHome(older, kFirst));
  EXPECT_EQ(ReasonOf(MayTakeName(older, Dispute(kFirst))), ErrorReason::kWorkerNameBusy);
}

}  // namespace
}  // namespace fpo::coordinator
