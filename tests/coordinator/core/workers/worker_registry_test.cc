#include "coordinator/core/workers/worker_registry.h"

#include <functional>
#include <string>
#include <vector>

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

const Moment kHelloTime = {kStart, kStart};
const AttemptRef kRef = {"j-1", 1, 1};
constexpr absl::Duration kGrace = absl::Minutes(10);

class WorkerRegistryTest : public ::testing::Test {
 protected:
  std::shared_ptr<FakeLink> Connect(const WorkerHello& hello) {
    auto link = std::make_shared<FakeLink>();
    registry_.Connect(hello, link, kHelloTime);
    return link;
  }
  int32_t Free() { return registry_.Offers(kStart, kGrace).at(0).free; }

  WorkerRegistry registry_;
};

TEST(CheckHello, RefusesWhatNoAgentSays) {
  const WorkerHello good = HelloOf("gpu-7.example");
  EXPECT_TRUE(CheckHello(good).ok());
  const std::vector<std::function<void(WorkerHello&)>> spoils = {
      [](WorkerHello& h) { h.worker_id.clear(); },
      [](WorkerHello& h) { h.worker_id = "../x"; },
      [](WorkerHello& h) { h.instance_id.clear(); },
      [](WorkerHello& h) { h.device.reset(); },
      [](WorkerHello& h) { h.slots = 0; },
      [](WorkerHello& h) { h.slots = 1 << 30; },
      [](WorkerHello& h) { h.host = std::string(254, 'h'); },
      [](WorkerHello& h) { h.labels["zone"] = std::string(254, 'z'); },
      [](WorkerHello& h) { h.running.resize(1025); },
      [](WorkerHello& h) { h.devices.resize(1025); },
      [](WorkerHello& h) { h.devices = {{.name = std::string(254, 'x')}}; }};
  for (size_t i = 0; i < spoils.size(); ++i) {
    WorkerHello hello = good;
    spoils[i](hello);
    EXPECT_EQ(ReasonOf(CheckHello(hello)), ErrorReason::kBadHello) << i;
  }
}

TEST_F(WorkerRegistryTest, HoldsTakeSlotsUntilReleased) {
  Connect(HelloOf("w1", 4));
  EXPECT_EQ(Free(), 4);
  registry_.Hold("w1", kRef, 3);
  registry_.Hold("w1", kRef, 3);
  EXPECT_EQ(Free(), 1) << "the same attempt holds once";
  const WorkerView view = registry_.List(kStart).at(0);
  EXPECT_EQ(view.slots_used, 3);
  EXPECT_EQ(view.jobs, std::vector<std::string>{"j-1"});
  registry_.Release("w1", kRef);
  EXPECT_EQ(Free(), 4);
}

TEST_F(WorkerRegistryTest, AnUnconfirmedStopFreesItsSlotsAtTheDeadline) {
  Connect(HelloOf("w1", 1));
  registry_.Hold("w1", kRef, 1);
  registry_.ReleaseBy("w1", kRef, kStart + absl::Seconds(60));
  registry_.ReleaseOverdue(kStart + absl::Seconds(59));
  EXPECT_EQ(Free(), 0);
  registry_.ReleaseOverdue(kStart + absl::Seconds(60));
  EXPECT_EQ(Free(), 1);
}

TEST_F(WorkerRegistryTest, ABrokenStreamShowsLostAndKeepsHolds) {
  auto link = Connect(HelloOf("w1", 2));
  registry_.Hold("w1", kRef, 1);
  EXPECT_TRUE(registry_.Disconnect("w1", link.get(), kStart));
  const SlotOffer offer = registry_.Offers(kStart, kGrace).at(0);
  EXPECT_FALSE(offer.connected);
  EXPECT_EQ(offer.usable(), 0);
  EXPECT_EQ(offer.free, 1);
  EXPECT_FALSE(registry_.Send("w1", HeartbeatAckCommand{1}));
  Connect(HelloOf("w1", 2));
  EXPECT_EQ(Free(), 1) << "the same process still runs it";
}

TEST_F(WorkerRegistryTest, ANewProcessInheritsNothing) {
  auto old_link = Connect(HelloOf("w1", 2));
  registry_.Hold("w1", kRef, 1);
  WorkerHello newer = HelloOf("w1", 2);
  newer.instance_id = "newer";
  auto link = Connect(newer);
  EXPECT_EQ(Free(), 2);
  EXPECT_EQ(ReasonOf(old_link->closed()), ErrorReason::kWorkerReplaced);
  EXPECT_TRUE(registry_.IsSession("w1", link.get()));
  EXPECT_FALSE(registry_.Disconnect("w1", old_link.get(), kStart)) << "the old stream ends later";
  EXPECT_TRUE(registry_.Offers(kStart, kGrace).at(0).connected);
}

TEST_F(WorkerRegistryTest, TheHolderOfANameIsKnownToOthersOnly) {
  EXPECT_FALSE(registry_.HolderFor(HelloOf("w1")).has_value());
  auto link = Connect(HelloOf("w1"));
  EXPECT_FALSE(registry_.HolderFor(HelloOf("w1")).has_value()) << "the same process, back again";
  WorkerHello other = HelloOf("w1");
  other.instance_id = "other";
  EXPECT_TRUE(registry_.HolderFor(other)->connected);
  EXPECT_EQ(registry_.HolderFor(other)->asked, std::nullopt);
  registry_.NoteAsked(other, kStart + absl::Seconds(1));
  registry_.NoteAsked(other, kStart + absl::Seconds(2));
  EXPECT_EQ(registry_.HolderFor(other)->asked, kStart + absl::Seconds(1)) << "since it first did";
  other.instance_id = "third";
  EXPECT_EQ(registry_.HolderFor(other)->asked, std::nullopt);
  registry_.Disconnect("w1", link.get(), kStart);
  EXPECT_FALSE(registry_.HolderFor(other)->connected);
}

TEST_F(WorkerRegistryTest, ALostWorkerIsGoneAfterTheGrace) {
  auto link = Connect(HelloOf("w1"));
  registry_.Disconnect("w1", link.get(), kStart);
  EXPECT_FALSE(registry_.Offers(kStart + kGrace - absl::Seconds(1), kGrace).at(0).gone);
  EXPECT_TRUE(registry_.Offers(kStart + kGrace, kGrace).at(0).gone);
  Connect(HelloOf("w1"));
  EXPECT_FALSE(registry_.Offers(kStart + kGrace, kGrace).at(0).gone);
}

TEST_F(WorkerRegistryTest, OnlyAWorkerThatIsLostForGoodCanBeForgotten) {
  const auto reason = [&](const std::string& worker, absl::Duration lease) {
    return ReasonOf(registry_.Forgettable(worker, lease, kStart).status());
  };
  auto link = Connect(HelloOf("w1"));
  registry_.SetMode("w1", {WorkerMode::Kind::kCordoned, "disk"});
  EXPECT_EQ(reason("w9", absl::ZeroDuration()), ErrorReason::kWorkerNotFound);
  EXPECT_EQ(reason("w1", absl::ZeroDuration()), ErrorReason::kWorkerConnected);
  registry_.Disconnect("w1", link.get(), kStart);
  EXPECT_EQ(reason("w1", absl::Seconds(3)), ErrorReason::kWorkerLeased);
  EXPECT_EQ(reason("w1", absl::ZeroDuration()), ErrorReason::kUnspecified);
  registry_.Forget("w1");
  EXPECT_TRUE(registry_.List(kStart).empty());
  EXPECT_EQ(registry_.ModeOf("w1"), WorkerMode());
}

TEST_F(WorkerRegistryTest, OnlyTheSessionSendsHeartbeats) {
  auto link = Connect(HelloOf("w1"));
  const Moment later = {kStart + absl::Seconds(2), kStart + absl::Seconds(2)};
  FakeLink stranger;
  EXPECT_FALSE(registry_.Heartbeat("w1", &stranger, later));
  EXPECT_FALSE(registry_.Heartbeat("w9", link.get(), later));
  EXPECT_TRUE(registry_.Heartbeat("w1", link.get(), later));
  EXPECT_EQ(registry_.List(kStart + absl::Seconds(5)).at(0).heartbeat_age, absl::Seconds(3));
}

TEST_F(WorkerRegistryTest, WhoHandsItsWorkBackOffersNothingForAWhile) {
  Connect(HelloOf("w1"));
  const absl::Time until = kStart + absl::Seconds(15);
  registry_.Avoid("w1", until);
  EXPECT_FALSE(registry_.Offers(kStart, kGrace).at(0).open);
  registry_.ReleaseOverdue(until - absl::Seconds(1));
  EXPECT_FALSE(registry_.Offers(kStart, kGrace).at(0).open);
  registry_.ReleaseOverdue(until);
  EXPECT_TRUE(registry_.Offers(kStart, kGrace).at(0).open);
  registry_.Avoid("w1", until);
  WorkerHello newer = HelloOf("w1");
  newer.instance_id = "newer";
  Connect(newer);
  EXPECT_TRUE(registry_.Offers(kStart, kGrace).at(0).open) << "another agent under the same name";
}

TEST_F(WorkerRegistryTest, LostWorkersAreForgottenInTheEnd) {
  auto link = Connect(HelloOf("w1"));
  registry_.ForgetLost(kStart + absl::Hours(99), absl::Hours(24));
  EXPECT_EQ(registry_.Offers(kStart, kGrace).size(), 1u) << "it is connected";
  registry_.CloseSession("w1", absl::UnavailableError("lease"), kStart);
  EXPECT_EQ(link->closed().code(), absl::StatusCode::kUnavailable);
  registry_.ForgetLost(kStart + absl::Hours(23), absl::Hours(24));
  EXPECT_EQ(registry_.Offers(kStart, kGrace).size(), 1u);
  registry_.ForgetLost(kStart + absl::Hours(24), absl::Hours(24));
  EXPECT_TRUE(registry_.Offers(kStart, kGrace).empty());
}

TEST_F(WorkerRegistryTest, CloseAllEndsEverySession) {
  auto a = Connect(HelloOf("w1"));
  auto b = Connect(HelloOf("w2"));
  registry_.CloseAll(absl::UnavailableError("shutting down"));
  EXPECT_FALSE(a->closed().ok());
  EXPECT_FALSE(b->closed().ok());
  EXPECT_FALSE(registry_.Find("w3").has_value());
  EXPECT_EQ(registry_.Find("w2")->host, "host-w2");
}

}  // namespace
}  // namespace fpo::coordinator
