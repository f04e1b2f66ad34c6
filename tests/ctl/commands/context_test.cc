// Contexts: the file, the order of precedence, and the commands.
#include <sys/stat.h>

#include <filesystem>

#include "ctl/command_line/context_file.h"
#include "ctl/command_line/settings.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"
#include "tests/support/temp_folder.h"

namespace fpo::ctl {
namespace {

using fpo::testing::ReadWhole;
using fpo::testing::TempFolder;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

class ContextTest : public CommandRun {
 protected:
  ContextTest() {
    environment_.config_path = path_;
    real_ = environment_.server;
    environment_.server.clear();  // what the environment names would win
  }
  Result Ok(const std::vector<std::string>& args) {
    Result result = Run(args);
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
  }

  TempFolder home_;
  const std::string path_ = home_ / "deep/fpo/config.yaml";
  std::string real_;
};

TEST_F(ContextTest, AFileIsWrittenAndReadBack) {
  ContextFile file;
  file.current = "lab";
  file.contexts["lab"] = {"a:1", "b:2", "/ca", "/cert", "/key", "/to \"k\": en#"};
  file.contexts["e.m-p_ty"] = {};
  ASSERT_TRUE(WriteContexts(path_, file).ok());
  EXPECT_EQ(ReadContexts(path_).value(), file);
  EXPECT_EQ(ReadContexts(home_ / "none").value(), ContextFile());
  EXPECT_EQ(ReadContexts("").value(), ContextFile());
  int files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(home_ / "deep/fpo")) {
    ++files;
  }
  EXPECT_EQ(files, 1) << "nothing unfinished is left";
}

TEST_F(ContextTest, AWrongFileIsAnErrorWithItsLine) {
  struct Bad {
    const char* text;
    const char* says;
  };
  const Bad bads[] = {
      {"current: lab\n", ":1: current: there is no context \"lab\""},
      {"contexts:\n  lab:\n    sever: a:1\n", ":3: lab.sever: unknown key; allowed are server,"},
      {"contexts:\n  lab:\n    server: [a]\n", ":3: lab.server: is a list and must be text"},
      {"contexts:\n  - a\n", ":1: contexts: is a list and must be a map"},
      {"contexts:\n  a/b: {}\n", ":2: \"a/b\" is not a valid context name"},
      {"colour: red\n", ":1: colour: unknown key"},
      {"just words\n", ": the file: is a single value"},
      {"contexts: {a: {}\n", ":2: not YAML"},
      {"contexts:\n  a: {}\n  a: {}\n", ":3: "},
  };
  std::filesystem::create_directories(home_ / "deep/fpo");
  for (const Bad& bad : bads) {
    WriteWhole(path_, bad.text);
    const Result result = Run({"list"});
    EXPECT_EQ(result.code, 3) << bad.text;
    EXPECT_THAT(result.err, HasSubstr(path_)) << bad.text;
    EXPECT_THAT(result.err, HasSubstr(bad.says));
    EXPECT_EQ(Run({"context", "list"}).code, 3);
    EXPECT_EQ(Run({"version"}).code, 0) << "needs no context";
  }
}

TEST_F(ContextTest, OptionBeatsEnvironmentBeatsContextBeatsDefault) {
  WriteContexts(
      path_,
      {"lab", {{"lab", {"lab:1", "", "", "", "", "/t"}}, {"far", {"far:1", "", "", "", "", ""}}}})
      .IgnoreError();
  Settings settings;
  ASSERT_TRUE(ResolveSettings({}, environment_, &settings).ok());
  EXPECT_EQ(settings.server, "lab:1");
  EXPECT_EQ(settings.token_file, "/t");
  EXPECT_EQ(settings.sources["server"], "context lab");
  EXPECT_EQ(settings.sources["tls_ca"], "default");
  environment_.context = "far";
  settings = {};
  ASSERT_TRUE(ResolveSettings({}, environment_, &settings).ok());
  EXPECT_EQ(settings.server, "far:1") << "FPO_CONTEXT";
  settings = {};
  ASSERT_TRUE(ResolveSettings({{"context", "lab"}}, environment_, &settings).ok());
  EXPECT_EQ(settings.server, "lab:1") << "--context";
  environment_.server = "env:1";
  settings = {};
  ASSERT_TRUE(ResolveSettings({}, environment_, &settings).ok());
  EXPECT_EQ(settings.server, "env:1");
  settings = {};
  ASSERT_TRUE(ResolveSettings({{"server", "flag:1"}}, environment_, &settings).ok());
  EXPECT_EQ(settings.server, "flag:1");
  EXPECT_EQ(settings.sources["server"], "--server");
}

TEST_F(ContextTest, CommandsMakeUseShowAndRemove) {
  EXPECT_THAT(Ok({"context", "set", "lab", "--server", real_}).out,
              HasSubstr("context lab is set, and the current one"));
  EXPECT_EQ(Run({"list"}).code, 0) << "the context's server answers";
  Ok({"context", "set", "far", "--server", "127.0.0.1:1", "--tls-ca", "ca.pem", "--token-file",
      "/tmp/../t"});
  EXPECT_EQ(ReadContexts(path_)->contexts["far"].tls_ca,
            (std::filesystem::current_path() / "ca.pem").string());
  EXPECT_EQ(ReadContexts(path_)->contexts["far"].token_file, "/t");
  EXPECT_NE(Run({"list", "--context", "far"}).code, 0) << "its files are not there";
  EXPECT_EQ(Ok({"context", "list", "-q"}).out, "far\nlab\n");
  EXPECT_THAT(Ok({"context", "list"}).out, HasSubstr("*        lab"));
  EXPECT_THAT(Ok({"context", "list", "--json"}).out, HasSubstr(R"("name":"far","current":false)"));
  Ok({"context", "use", "far"});
  EXPECT_EQ(Ok({"context", "show", "-q"}).out, "far\n");
  const std::string shown = Ok({"context", "show", "--server", "x:1"}).out;
  EXPECT_THAT(shown, HasSubstr("server        x:1"));
  EXPECT_THAT(shown, HasSubstr("--server"));
  EXPECT_THAT(shown, HasSubstr("context far"));
  EXPECT_THAT(Ok({"context", "rm", "far"}).out, HasSubstr("none is the current one now"));
  EXPECT_EQ(Ok({"context", "show", "-q"}).out, "\n");
}

TEST_F(ContextTest, AddressesThatCannotWorkSayWhereTheyAreFrom) {
  EXPECT_EQ(Run({"context", "set", "lab", "--server", "foo"}).code, 2);
  WriteContexts(path_, {"lab", {{"lab", {"http://a:1", "", "", "", "", ""}}}}).IgnoreError();
  const Result context = Run({"list"});
  EXPECT_EQ(context.code, 2);
  EXPECT_THAT(context.err, HasSubstr("server of context lab: \"http://a:1\" is not HOST:PORT"));
  EXPECT_THAT(context.err, HasSubstr("hint: fpoctl context set lab --server 127.0.0.1:7070\n"));
  environment_.server = "foo";
  const Result variable = Run({"list"});
  EXPECT_EQ(variable.code, 2);
  EXPECT_THAT(variable.err, HasSubstr("FPO_SERVER: \"foo\" is not HOST:PORT"));
  EXPECT_THAT(variable.err, HasSubstr("hint: export FPO_SERVER=127.0.0.1:7070"));
}

TEST_F(ContextTest, AContextForgetsWhatItIsGivenAsNothing) {
  Ok({"context", "set", "lab", "--server", "a:1", "--token-file", "/t"});
  Ok({"context", "set", "lab", "--token-file", ""});
  EXPECT_EQ(ReadContexts(path_)->contexts["lab"].token_file, "");
  EXPECT_EQ(ReadContexts(path_)->contexts["lab"].server, "a:1");
}

TEST_F(ContextTest, WrongNamesAndNothingToSetAreSaid) {
  EXPECT_EQ(Run({"context", "use", "nobody"}).code, 4);
  EXPECT_EQ(Run({"context", "rm", "nobody"}).code, 4);
  EXPECT_EQ(Run({"context", "set", "lab"}).code, 2);
  EXPECT_EQ(Run({"context", "set", "a/b", "--server", "x:1"}).code, 2);
  const Result unknown = Run({"list", "--context", "nobody"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("there is no context \"nobody\""));
  environment_.context = "nobody";
  EXPECT_EQ(Run({"list"}).code, 2);
  environment_.config_path.clear();
  EXPECT_EQ(Run({"context", "set", "lab", "--server", "x:1"}).code, 7) << "no home";
}

TEST_F(ContextTest, AFileThatCannotBeWrittenStays) {
  Ok({"context", "set", "lab", "--server", "a:1"});
  const std::string before = ReadWhole(path_);
  environment_.config_path = path_ + "/below";
  EXPECT_NE(Run({"context", "set", "lab", "--server", "b:1"}).code, 0);
  EXPECT_EQ(ReadWhole(path_), before);
}

}  // namespace
}  // namespace fpo::ctl
