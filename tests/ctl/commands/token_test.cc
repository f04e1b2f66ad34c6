// The list of --access as fpoctl keeps it, and a cache that asks for it.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cache/rpc/cache_server.h"
#include "common/access_list.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/ctl/command_run.h"
#include "tests/support/temp_folder.h"

namespace fpo::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TokenTest : public CommandRun {
 protected:
  Result Create(const std::string& name, const std::string& role) {
    return Run({"token", "create", name, "--role", role, "--access", list_, "--out",
                folder_ / (name + ".token")});
  }
  std::string ReadList() {
    std::stringstream text;
    text << std::ifstream(list_).rdbuf();
    return text.str();
  }

  const fpo::testing::TempFolder folder_;
  const std::string list_ = folder_ / "access.json";
};

TEST_F(TokenTest, ATokenIsShownOnceAndOnlyItsDigestKept) {
  const Result made = Run({"token", "create", "ana", "--group", "align", "--access", list_});
  ASSERT_EQ(made.code, 0) << made.err;
  const std::string token = made.out.substr(0, made.out.size() - 1);
  EXPECT_THAT(made.err, HasSubstr("added ana as user"));
  EXPECT_THAT(ReadList(), Not(HasSubstr(token)));
  const auto list = AccessList::Parse(ReadList());
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(*list->OfToken(token, absl::Now()), (Principal{"ana", Role::kUser, {"align"}}));
  EXPECT_THAT(Run({"token", "list", "--access", list_}).out, HasSubstr("align"));
  EXPECT_EQ(Run({"token", "revoke", "ana", "--access", list_}).code, 0);
  EXPECT_EQ(Run({"token", "revoke", "ana", "--access", list_}).code, 4);
}

TEST_F(TokenTest, AFileIsForItsOwner) {
  ASSERT_EQ(Create("bob", "reader").code, 0);
  struct stat status {};
  ASSERT_EQ(stat((folder_ / "bob.token").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_TRUE(ReadTokenFile(folder_ / "bob.token").ok());
  EXPECT_NE(Create("bob", "reader").code, 0) << "a token is not overwritten";
}

TEST_F(TokenTest, ASecondTokenIsMadeOnPurposeAndOneAloneRevoked) {
  ASSERT_EQ(Create("bob", "user").code, 0);
  const Result twice = Run({"token", "create", "bob", "--access", list_});
  EXPECT_EQ(twice.code, 7);
  EXPECT_THAT(twice.err, HasSubstr("bob has a token already, "));
  EXPECT_THAT(twice.err, HasSubstr("--another"));
  const Result second = Run({"token", "create", "bob", "--access", list_, "--another", "--json"});
  ASSERT_EQ(second.code, 0) << second.err;
  const auto made = nlohmann::json::parse(second.out);
  const std::string id = made["id"];
  EXPECT_EQ(id.size(), 8u);
  EXPECT_THAT(Run({"token", "list", "--access", list_}).out, HasSubstr("token " + id));
  EXPECT_EQ(Run({"token", "revoke", "bob", "--id", "00000000", "--access", list_}).code, 4);
  EXPECT_EQ(Run({"token", "revoke", "bob", "--id", id, "--access", list_}).code, 0);
  const auto left = AccessList::Parse(ReadList());
  ASSERT_EQ(left->entries().size(), 1u);
  EXPECT_FALSE(left->OfToken(std::string(made["token"]), absl::Now()).ok());
}

TEST_F(TokenTest, FilesThatCannotBeUsedAreNamed) {
  const Result folder = Run({"token", "create", "ana", "--access", folder_.path()});
  EXPECT_NE(folder.code, 0);
  EXPECT_THAT(folder.err, HasSubstr("Is a directory"));
  const Result nowhere = Run({"token", "create", "ana", "--access", folder_ / "none/a.json",
                              "--out", folder_ / "ana.token"});
  EXPECT_EQ(nowhere.code, 4);
  EXPECT_THAT(nowhere.err, HasSubstr("write " + (folder_ / "none/a.json: No such file")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "ana.token")) << "it would open nothing";
  environment_.token_file = folder_.path();
  EXPECT_THAT(Run({"list"}).err, HasSubstr("Is a directory"));
  environment_.token_file = folder_ / "absent";
  EXPECT_THAT(Run({"list"}).err, HasSubstr("hint: name the file with your token"));
}

TEST_F(TokenTest, WrongInputLeavesNothing) {
  EXPECT_EQ(Run({"token", "create", "a b", "--access", list_}).code, 2);
  EXPECT_EQ(Run({"token", "create", "ana", "--group", "a/b", "--access", list_}).code, 2);
  EXPECT_EQ(Run({"token", "create", "ana", "--role", "king", "--access", list_}).code, 2);
  const Result without = Run({"token", "create", "ana"});
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.err, HasSubstr("--access is missing"));
  EXPECT_FALSE(std::filesystem::exists(list_));
}

TEST_F(TokenTest, ServicesAskForIt) {
  ASSERT_EQ(Create("eve", "reader").code, 0);
  cache::CacheConfig config;
  config.listen.listen = "127.0.0.1:0";
  config.listen.http = "";
  config.listen.access = list_;
  config.data = folder_ / "store";
  config.free_mib_min = 0;
  const auto server = *cache::CacheServer::Start(config, "1", "c");
  environment_.cache_server = server->address();
  const Result stranger = Run({"cache", "ls"});
  EXPECT_EQ(stranger.code, 6);
  EXPECT_THAT(stranger.err, HasSubstr("the call has none; hint: name a file with your token"));
  environment_.token_file = folder_ / "eve.token";
  EXPECT_EQ(Run({"cache", "ls"}).code, 0);
  EXPECT_EQ(Run({"cache", "recipes"}).code, 0);
  const Result denied = Run({"cache", "gc"});
  EXPECT_EQ(denied.code, 6);
  EXPECT_THAT(denied.err, HasSubstr("eve has the role reader; this needs admin"));
  EXPECT_EQ(Run({"cache", "ls", "--token-file", folder_ / "none"}).code, 4);
}

}  // namespace
}  // namespace fpo::ctl
