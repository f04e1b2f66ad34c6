#include "cache/flags.h"

#include "gmock/gmock.h"

namespace fpo::cache {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<ParsedFlags<CacheConfig>> Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "fpo-cache");
  return ParseFlags(static_cast<int>(args.size()), args.data());
}

TEST(CacheFlags, HaveTheirDefaults) {
  const auto flags = Parse({"--data", "/d"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config.listen.listen, "127.0.0.1:7080");
  EXPECT_EQ(flags->config.listen.http, "127.0.0.1:7081");
  EXPECT_EQ(flags->config.lease, absl::Seconds(30));
}

TEST(CacheFlags, TakeDurationsAsWords) {
  EXPECT_EQ(Parse({"--data", "/d", "--lease", "1m30s"})->config.lease, absl::Seconds(90));
  EXPECT_THAT(std::string(Parse({"--data", "/d", "--lease", "soon"}).status().message()),
              HasSubstr("--lease"));
}

TEST(CacheFlags, NameWhatIsWrong) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases = {
      {{}, "--data"},
      {{"--data", "/d", "--nope"}, "--nope"},
      {{"--data", "/d", "--replica-of", "foo"}, "--replica-of: \"foo\" is not HOST:PORT"},
      {{"--data", "/d", "--bucket", "/srv/x"}, "--bucket"},
      {{"--data", "/d", "--bucket", "s3://records/p", "--replica-of", "h:1"}, "exclude each other"},
      {{"--data", "/d", "--bucket-wait", "1h"}, "--bucket-wait"},
      {{"--data", "/d", "--threads", "abc"}, "--threads is 'abc' and must be a number"},
      {{"--data", "/d", "--listen", "0.0.0.0:1"}, "--insecure"},
      {{"--data", "/d", "--http", "10.1.2.3:1"}, "10.1.2.3"},
      {{"--data", "/d", "--tls-cert", "x"}, "--tls-key"},
      {{"--data", "/d", "--threads", "1"}, "--threads"},
      {{"--data", "/d", "--lease", "1ms"}, "--lease"},
      {{"--data", "/d", "--evict-mib", "5", "--reject-mib", "4"}, "eviction must begin first"},
      {{"--data", "/d", "--gc-every", "1ms"}, "--gc-every"},
      {{"--data", "/d", "--scrub-mib-per-second", "-1"}, "--scrub-mib-per-second"},
  };
  for (const auto& [args, expected] : cases) {
    const absl::Status status = Parse(args).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << expected;
    EXPECT_THAT(std::string(status.message()), HasSubstr(expected));
  }
}

TEST(CacheFlags, PrintVersionAndHelp) {
  EXPECT_THAT(*Parse({"--version"})->text, HasSubstr("fpo-cache"));
  EXPECT_THAT(*Parse({"--help"})->text, HasSubstr("--lease"));
}

}  // namespace
}  // namespace fpo::cache
