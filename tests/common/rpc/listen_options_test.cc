#include "common/rpc/listen_options.h"

#include <filesystem>

#include "common/rpc/security/peer_address.h"
#include "gmock/gmock.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(ListenOptions, KnowsLoopback) {
  for (const char* address :
       {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "host:1", "1127.0.0.1:1", "127.evil.example:1",
        "127.0.0.1.example:1", "127.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1%lo]:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(ListenOptions, ChecksAddresses) {
  for (const char* good : {"127.0.0.1:0", "[::1]:65535", "[fe80::1%eth0]:1", "host:7070"}) {
    EXPECT_TRUE(CheckAddress(good).ok()) << good;
  }
  for (const char* bad : {"", "host", ":1", "host:", "host:65536", "host:-1", "host:x", "host:+1",
                          "host: 1", "a b:1", " host:1", "::1:7070", "host/x:1", "[]:1",
                          "http://host:1", "https://host", "user@host:1", "h\n:1"}) {
    EXPECT_FALSE(CheckAddress(bad).ok()) << bad;
  }
  EXPECT_THAT(std::string(CheckAddress("http://host:1").message()),
              HasSubstr("leave out \"http://\""));
  EXPECT_THAT(std::string(CheckAddress("foo").message()), HasSubstr("the port is missing"));
  EXPECT_TRUE(CheckPeerAddress("host:1").ok());
  EXPECT_FALSE(CheckPeerAddress("host:0").ok()) << "nothing can be called there";
  EXPECT_FALSE(CheckPeerAddress("host:00").ok());
}

TEST(ListenOptions, NamesTheFlagOfAnAddress) {
  ListenOptions options{.listen = "foo", .http = "127.0.0.1:2", .port_file = "", .tls = {}};
  EXPECT_THAT(std::string(ValidateListen(options).message()), HasSubstr("--listen: \"foo\""));
  options.listen = "";
  options.http = "127.0.0.1:x";
  EXPECT_THAT(std::string(ValidateListen(options).message()), HasSubstr("--http: "));
}

TEST(ListenOptions, RefusesToExposePlaintext) {
  ListenOptions options{.listen = "0.0.0.0:1", .http = "127.0.0.1:2", .port_file = "", .tls = {}};
  EXPECT_THAT(std::string(ValidateListen(options).message()), HasSubstr("--insecure"));
  options.tls.cert = "c";
  EXPECT_THAT(std::string(ValidateListen(options).message()), HasSubstr("--tls-key"));
  options.tls.key = "k";
  EXPECT_THAT(std::string(ValidateListen(options).message()), HasSubstr("--access"))
      << "everyone would be an administrator";
  options.tls.ca = "a";
  EXPECT_TRUE(ValidateListen(options).ok()) << "client certificates";
  options.tls.ca = "";
  options.access = "access.json";
  EXPECT_TRUE(ValidateListen(options).ok()) << "tokens";
  options.http = "0.0.0.0:2";
  EXPECT_THAT(std::string(ValidateListen(options).message()), HasSubstr("--http-open"))
      << "the HTTP listener has no TLS";
  options.http_open = true;
  EXPECT_TRUE(ValidateListen(options).ok());
  options.access = "";
  EXPECT_THAT(std::string(ValidateListen(options).message()), HasSubstr("--access"))
      << "an open HTTP port opens no calls";
  options.insecure = true;
  EXPECT_TRUE(ValidateListen(options).ok());
}

TEST(ListenOptions, WhatIsOpenIsSaid) {
  ListenOptions options{.listen = "127.0.0.1:1", .http = "", .port_file = "", .tls = {}};
  EXPECT_EQ(ExposureWarning(options), "");
  options.listen = "0.0.0.0:1";
  options.insecure = true;
  EXPECT_THAT(ExposureWarning(options), HasSubstr("administrator"));
  options.access = "access.json";
  EXPECT_THAT(ExposureWarning(options), HasSubstr("in the clear"));
  options.tls.cert = options.tls.key = "c";
  EXPECT_EQ(ExposureWarning(options), "");
  options.access = "";
  EXPECT_THAT(ExposureWarning(options), HasSubstr("administrator"));
}

TEST(ListenOptions, WritesThePortFileWhole) {
  const testing::TempFolder folder;
  ASSERT_TRUE(WritePortFile(folder / "p", "127.0.0.1:5", "127.0.0.1:6").ok());
  EXPECT_EQ(testing::ReadWhole(folder / "p"),
            "{\"grpc\":\"127.0.0.1:5\",\"http\":\"127.0.0.1:6\"}\n");
  ASSERT_TRUE(WritePortFile(folder / "p", "", "127.0.0.1:7").ok());
  EXPECT_EQ(testing::ReadWhole(folder / "p"), "{\"http\":\"127.0.0.1:7\"}\n");
  EXPECT_TRUE(WritePortFile("", "a:1", "").ok());
  std::filesystem::create_symlink("elsewhere", folder / "link");
  ASSERT_TRUE(WritePortFile(folder / "link", "a:1", "").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "elsewhere")) << "a link is replaced";
  EXPECT_FALSE(WritePortFile(folder / "none/p", "a:1", "").ok());
}

}  // namespace
}  // namespace fpo
