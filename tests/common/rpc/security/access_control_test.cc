#include "common/rpc/security/access_control.h"

#include <filesystem>
#include <fstream>

#include "common/clock.h"
#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/security/token_source.h"
#include "common/rpc/server.h"
#include "gtest/gtest.h"
#include "proto/fpo/v1/cache.grpc.pb.h"
#include "tests/common/waits/moved_wall.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

// Answers Stats with the name of the caller, who must be a user.
class Door final : public pb::ReferenceCache::Service {
 public:
  grpc::Status Stats(grpc::ServerContext* call, const pb::StatsRequest*,
                     pb::StatsResponse* response) override {
    const absl::StatusOr<Principal> caller = access->Admit(*call, Role::kUser);
    if (!caller.ok()) return ToGrpcStatus(caller.status());
    response->set_version(caller->name);
    return grpc::Status::OK;
  }
  std::unique_ptr<AccessControl> access;
};

class AccessControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Write("ana", Role::kUser);
    door_.access = *AccessControl::Open(path_);
    RpcServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {{pb::ReferenceCache::service_full_name(), &door_}};
    server_ = *RpcServer::Start(std::move(options));
  }
  // The token is the name.
  void Write(const std::string& name, Role role) {
    AccessList list;
    list.mutable_entries() = {{.principal = {name, role}, .token_sha256 = Sha256Of(name)}};
    std::ofstream(path_) << list.ToJson();
  }
  // The caller's name, or the reason of the refusal.
  std::string Call(const std::string& token) {
    const auto stub =
        pb::ReferenceCache::NewStub(*MakeChannel(server_->address(), {.token = token}));
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    pb::StatsResponse response;
    const grpc::Status status = stub->Stats(&context, {}, &response);
    return status.ok() ? response.version()
                       : std::string(ErrorReasonName(ReasonOf(FromGrpcStatus(status))));
  }
  // Until the file is looked at again.
  std::string CallUntil(const std::string& token, const std::string& wanted) {
    const absl::Time end = absl::Now() + absl::Seconds(30);
    std::string got = Call(token);
    while (got != wanted && absl::Now() < end) got = Call(token);
    return got;
  }

  const fpo::testing::TempFolder folder_;
  const std::string path_ = folder_ / "access.json";
  Door door_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(AccessControlTest, KnowsItsCallersByTheirTokens) {
  EXPECT_EQ(Call("ana"), "ana");
  EXPECT_EQ(Call("bob"), "UNAUTHENTICATED");
  EXPECT_EQ(Call(""), "UNAUTHENTICATED");
}

TEST_F(AccessControlTest, ChangesOfTheFileCountAndBrokenOnesDoNot) {
  Write("bob", Role::kUser);
  EXPECT_EQ(CallUntil("bob", "bob"), "bob");
  EXPECT_EQ(Call("ana"), "UNAUTHENTICATED") << "it was taken away";
  Write("bob", Role::kReader);
  EXPECT_EQ(CallUntil("bob", "ROLE"), "ROLE");
  std::ofstream(path_) << "{broken";
  while (door_.access->Check().ok()) {  // until it is looked at
  }
  const absl::Time seen = absl::Now() + absl::Milliseconds(1100);  // once a second
  while (absl::Now() < seen) ASSERT_EQ(Call("bob"), "ROLE") << "the last good list stays";
  EXPECT_FALSE(door_.access->Check().ok()) << "it is still broken, and tried again";
}

TEST_F(AccessControlTest, WithoutAFileEverybodyIsAnAdmin) {
  door_.access = *AccessControl::Open("");
  EXPECT_EQ(Call(""), "");
  EXPECT_FALSE(door_.access->has_list());
}

TEST(FileVersion, IsAnotherOneAfterAChangeOfMode) {
  const fpo::testing::TempFolder folder;
  const std::string path = folder / "a.json";
  EXPECT_EQ(FileVersion(path), "");
  std::ofstream(path) << "{}";
  const std::string before = FileVersion(path);
  EXPECT_EQ(FileVersion(path), before);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  EXPECT_NE(FileVersion(path), before) << "it may be readable only now";
}

TEST(AccessControl, ABrokenFileIsSaidAtStart) {
  const fpo::testing::TempFolder folder;
  std::ofstream(folder / "a.json") << "{}";
  const absl::Status status = AccessControl::Open(folder / "a.json").status();
  EXPECT_NE(std::string(status.message()).find("a.json: must be an object"), std::string::npos)
      << status;
  EXPECT_FALSE(AccessControl::Open(folder / "none.json").ok());
}

TEST(Channel, ATokenGoesToThisMachineOrOverTlsOnly) {
  EXPECT_TRUE(MakeChannel("127.0.0.1:7070", {.token = "t"}).ok());
  EXPECT_FALSE(MakeChannel("10.0.0.1:7070", {.token = "t"}).ok());
}

TEST_F(AccessControlTest, AFileThatCouldNotBeReadIsTriedAgain) {
  // Replaced by a file that looks unreadable, then repaired without another size, time or inode.
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (door_.access->Check().ok() && absl::Now() < end) {
  }
  EXPECT_FALSE(door_.access->Check().ok());
  EXPECT_EQ(Call("ana"), "ana") << "the last good list stays in force";
  std::filesystem::remove(path_);
  Write("bob", Role::kUser);
  EXPECT_EQ(CallUntil("bob", "bob"), "bob");
  EXPECT_TRUE(door_.access->Check().ok());
}

TEST_F(AccessControlTest, ATokenFileIsReadAgainWhenItChanges) {
  const std::string file = folder_ / "token";
  const auto write = [&](const std::string& token) {
    std::ofstream(file + ".new") << token;
    std::filesystem::permissions(file + ".new", std::filesystem::perms::owner_read);
    std::filesystem::rename(file + ".new", file);
  };
  write("old");
  const auto channel = *MakeChannel(server_->address(), {.token_file = file});
  const auto stub = pb::ReferenceCache::NewStub(channel);
  const auto call = [&] {
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    pb::StatsResponse response;
    return stub->Stats(&context, {}, &response).ok();
  };
  EXPECT_FALSE(call());
  write("ana");
  const absl::Time end = absl::Now() + absl::Seconds(30);
  bool taken = false;
  while (!taken && absl::Now() < end) taken = call();
  EXPECT_TRUE(taken) << "without a new channel";
  std::filesystem::remove(file);
  EXPECT_TRUE(call()) << "the last one stays in use";
}

TEST_F(AccessControlTest, ARevokedTokenIsRefusedAlsoAfterTheWallClockWasSetBack) {
  {
    const fpo::testing::MovedWall ahead(absl::Hours(2));
    EXPECT_TRUE(door_.access->Check().ok());
  }
  EXPECT_EQ(Call("ana"), "ana");
  Write("bob", Role::kUser);
  const absl::Time end = BootNow() + absl::Seconds(20);
  while (Call("ana") == "ana" && BootNow() < end) {
  }
  EXPECT_EQ(Call("ana"), "UNAUTHENTICATED");
}

}  // namespace
}  // namespace fpo
