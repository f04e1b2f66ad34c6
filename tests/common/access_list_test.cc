#include "common/access_list.h"

#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

AccessList Sample(const std::string& token) {
  AccessList list;
  list.mutable_entries() = {
      {.principal = {"ana", Role::kUser, {"align", "eval"}}, .token_sha256 = Sha256Of(token)},
      {.principal = {"host-1", Role::kWorker}, .certificate = "host-1.example"},
      {.principal = {"bob", Role::kReader},
       .token_sha256 = Sha256Of("old"),
       .expires = kNow - absl::Seconds(1)}};
  return list;
}

TEST(AccessList, RoundTripsAndFindsItsPeople) {
  const std::string token = NewToken();
  EXPECT_EQ(token.size(), 4u + 64);
  const auto list = AccessList::Parse(Sample(token).ToJson());
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(*list->OfToken(token, kNow), (Principal{"ana", Role::kUser, {"align", "eval"}}));
  EXPECT_EQ(list->OfCertificate({"other", "host-1.example"}, kNow)->name, "host-1");
  for (const std::string& wrong : {std::string(), token + "x", NewToken()}) {
    EXPECT_EQ(list->OfToken(wrong, kNow).status().code(), absl::StatusCode::kUnauthenticated);
  }
  EXPECT_EQ(list->OfToken("old", kNow).status().message(), "the token of bob has expired");
  EXPECT_FALSE(list->OfCertificate({""}, kNow).ok());
  EXPECT_EQ(list->ToJson().find(token), std::string::npos);
}

TEST(AccessList, RefusesWhatIsNoList) {
  const std::string hash(64, 'a');
  const std::pair<std::string, std::string> wrong[] = {
      {"[]", "principals"},
      {R"({"principals":[{"name":"a b","role":"user","certificate":"c"}]})", "principals[0]"},
      {R"({"principals":[{"name":"a","role":"king","certificate":"c"}]})", "reader, user, worker"},
      {R"({"principals":[{"name":"a","role":"user"}]})", "either token_sha256 or certificate"},
      {absl::StrCat(R"({"principals":[{"name":"a","role":"user","certificate":"c",)",
                    R"("token_sha256":")", hash, "\"}]}"),
       "either"},
      {R"({"principals":[{"name":"a","role":"user","token_sha256":"abc"}]})", "64 lower-case hex"},
      {R"({"principals":[{"name":"a","role":"user","certificate":"c","tok":"x"}]})", "tok"},
      {R"({"principals":[{"name":"a","role":"user","certificate":"c","expires":"soon"}]})",
       "expires"}};
  for (const auto& [json, part] : wrong) {
    const absl::Status status = AccessList::Parse(json).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << json;
    EXPECT_NE(std::string(status.message()).find(part), std::string::npos) << status;
  }
}

TEST(AccessList, SharesReachWhomTheyName) {
  const Principal ana{"ana", Role::kUser, {"align"}}, bob{"bob", Role::kUser, {}};
  EXPECT_TRUE(Reaches("public", "ana", bob));
  EXPECT_TRUE(Reaches("private", "ana", ana));
  EXPECT_FALSE(Reaches("private", "ana", bob));
  EXPECT_TRUE(Reaches("group:align", "eve", ana));
  EXPECT_FALSE(Reaches("group:align", "eve", bob));
  EXPECT_TRUE(Reaches("private", "ana", {"w", Role::kWorker}));
  EXPECT_TRUE(IsShare("group:align") && IsShare("public") && IsShare("private"));
  EXPECT_FALSE(IsShare("") || IsShare("group:") || IsShare("group:a b") || IsShare("all"));
}

TEST(TokenSource, IsReadByItsOwnerOnly) {
  const fpo::testing::TempFolder folder;
  const std::string path = folder / "token";
  std::ofstream(path) << "  fpo_0123\nrest\n";
  chmod(path.c_str(), 0644);
  EXPECT_NE(ReadTokenFile(path).status().message().find("chmod 600"), absl::string_view::npos);
  chmod(path.c_str(), 0600);
  EXPECT_EQ(*ReadTokenFile(path), "fpo_0123");
  std::ofstream(path) << "\n";
  EXPECT_FALSE(ReadTokenFile(path).ok());
  EXPECT_FALSE(ReadTokenFile(folder / "none").ok());
}

TEST(AccessListTest, AWorkersTokenIsThatWorker) {
  const AccessList list = AccessList::Parse(R"({"principals": [
    {"name": "host-1", "role": "worker", "certificate": "a"},
    {"name": "slurm", "role": "worker", "certificate": "b", "workers": ["slurm-*", "login"]},
    {"name": "root", "role": "admin", "certificate": "c"}]})")
                              .value();
  const auto may = [&](const char* certificate, const char* worker) {
    return list.OfCertificate({certificate}, absl::Now())->MayBeWorker(worker);
  };
  EXPECT_TRUE(may("a", "host-1"));
  EXPECT_FALSE(may("a", "host-2"));
  EXPECT_FALSE(may("a", "host-1-2"));
  EXPECT_TRUE(may("b", "slurm-17"));
  EXPECT_TRUE(may("b", "login"));
  EXPECT_FALSE(may("b", "slurm"));
  EXPECT_TRUE(may("c", "any"));
  EXPECT_TRUE(Principal{}.MayBeWorker("any")) << "without a list";
  EXPECT_EQ(AccessList::Parse(list.ToJson())->entries()[1].principal.workers,
            (std::vector<std::string>{"slurm-*", "login"}));
  for (
      const char* bad :
      {R"({"principals": [{"name": "a", "role": "user", "certificate": "a", "workers": ["a"]}]})",
       R"({"principals": [{"name": "a", "role": "worker", "certificate": "a", "workers": "a"}]})",
       R"({"principals": [{"name": "a", "role": "worker", "certificate": "a", "workers": ["*"]}]})",
       R"({"principals": [{"name": "a", "role": "worker", "certificate": "a", "workers": ["a b"]}]})"}) {
    EXPECT_FALSE(AccessList::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace fpo
