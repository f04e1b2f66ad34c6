#include "ctl/command_line/command_table.h"

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/error_info.h"
#include "ctl/command_line/completion.h"
#include "ctl/command_line/flags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

ParsedLine Parse(const Words& args) { return ParseCommandLine(args, Environment()); }

// The words after "fpoctl" in an example: up to what the shell would take for itself.
Words WordsOf(const std::string& example) {
  static const std::regex kCall("fpoctl ([^)>&|]*)");
  std::smatch match;
  EXPECT_TRUE(std::regex_search(example, match, kCall)) << example;
  return absl::StrSplit(match[1].str(), ' ', absl::SkipEmpty());
}

TEST(CommandTableTest, EveryCommandIsDescribedAndRuns) {
  std::set<std::string> names;
  for (const CommandSpec& command : Commands()) {
    SCOPED_TRACE(command.name);
    EXPECT_TRUE(names.insert(command.name).second) << "twice";
    EXPECT_FALSE(command.summary.empty());
    EXPECT_FALSE(command.group.empty());
    EXPECT_FALSE(command.examples.empty());
    EXPECT_NE(command.run, nullptr);
    for (const OptionSpec& option : command.options) {
      EXPECT_FALSE(option.help.empty()) << option.name;
      EXPECT_EQ(option.value.empty(), option.kind == ValueKind::kFlag) << option.name;
      EXPECT_EQ(option.choices.empty(), option.kind != ValueKind::kChoice) << option.name;
    }
  }
}

TEST(CommandTableTest, EveryExampleParsesAsItsCommand) {
  for (const CommandSpec& command : Commands()) {
    for (const ExampleSpec& example : command.examples) {
      const ParsedLine line = Parse(WordsOf(example.line));
      ASSERT_TRUE(line.invocation.has_value()) << example.line << ": " << line.error;
      EXPECT_EQ(line.invocation->command->name, command.name) << example.line;
    }
  }
}

void ExpectFitsATerminal(const std::string& help) {
  for (const absl::string_view line : absl::StrSplit(help, '\n')) {
    EXPECT_LE(line.size(), 80u) << line;
    EXPECT_FALSE(absl::EndsWith(line, " ")) << line;
  }
}

TEST(CommandTableTest, HelpTeaches) {
  EXPECT_THAT(OverviewHelp(), HasSubstr("workers list"));
  for (const CommandSpec& command : Commands()) {
    EXPECT_THAT(OverviewHelp(), ContainsRegex(absl::StrCat(command.name, "  +", command.summary)));
    Words words = absl::StrSplit(command.name, ' ');
    words.push_back("--help");
    const ParsedLine line = Parse(words);
    ASSERT_TRUE(line.help.has_value()) << command.name;
    EXPECT_THAT(*line.help, HasSubstr(absl::StrCat("usage: fpoctl ", command.name)));
    EXPECT_THAT(*line.help, HasSubstr(command.examples[0].line));
    for (const OptionSpec& option : command.options) {
      EXPECT_THAT(*line.help, HasSubstr("--" + option.name));
    }
    ExpectFitsATerminal(*line.help);
  }
  ExpectFitsATerminal(OverviewHelp());
}

TEST(CommandTableTest, TheManualHasEveryCommandAndOption) {
  const std::string page = ManualPage();
  const auto in_roff = [](const std::string& text) {
    return absl::StrReplaceAll(text, {{"-", "\\-"}});
  };
  for (const CommandSpec& command : Commands()) {
    EXPECT_TRUE(absl::StrContains(page, ".SS fpoctl " + in_roff(command.name))) << command.name;
    for (const OptionSpec& option : command.options) {
      EXPECT_TRUE(absl::StrContains(page, in_roff("--" + option.name)))
          << command.name << " --" << option.name;
    }
  }
  for (const absl::string_view line : absl::StrSplit(page, '\n')) {
    EXPECT_FALSE(absl::StartsWith(line, "'")) << "a request of roff: " << line;
  }
}

TEST(CommandTableTest, AddressesMayBeNamedAsTheWorkerDoes) {
  const ParsedLine line = Parse({"list", "--coordinator", "a:1", "--cache", "b:2"});
  ASSERT_TRUE(line.invocation.has_value()) << line.error;
  EXPECT_EQ(line.invocation->settings.server, "a:1");
  EXPECT_EQ(line.invocation->settings.cache_server, "b:2");
  EXPECT_THAT(CommandHelp(*FindCommand("list")), HasSubstr("also --coordinator"));
}

TEST(CommandTableTest, CompletionKnowsEveryCommandAndOption) {
  for (const char* shell : {"bash", "fish"}) {
    const std::string script = CompletionScript(shell);
    for (const CommandSpec& command : Commands()) {
      for (const std::string& word : Words(absl::StrSplit(command.name, ' '))) {
        EXPECT_THAT(script, HasSubstr(word)) << shell;
      }
      for (const OptionSpec& option : command.options) {
        EXPECT_THAT(script, HasSubstr(option.name)) << shell;
      }
    }
  }
  EXPECT_THAT(CompletionScript("zsh"), HasSubstr("bashcompinit"));
  EXPECT_EQ(CompletionScript("tcsh"), "");
}

TEST(CommandTableTest, BashCompletionCompletes) {
  const std::string folder = ::testing::TempDir();
  std::ofstream(folder + "/fpoctl.bash") << CompletionScript("bash");
  const auto complete = [&](const std::string& words, int position) {
    const std::string out = folder + "/completed";
    const std::string command = absl::StrCat(
        "bash -c 'source ", folder, "/fpoctl.bash; COMP_WORDS=(", words, "); COMP_CWORD=", position,
        "; _fpoctl; echo \"${COMPREPLY[*]}\"' > ", out, " 2>&1");
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::stringstream text;
    text << std::ifstream(out).rdbuf();
    return text.str();
  };
  EXPECT_EQ(complete("fpoctl wor", 1), "workers\n");
  EXPECT_EQ(complete("fpoctl cache inf", 2), "info\n");
  EXPECT_EQ(complete("fpoctl submit --dr", 2), "--dry-run\n");
  EXPECT_EQ(complete("fpoctl list --state CANC", 3), "CANCELLING CANCELLED\n");
  EXPECT_EQ(complete("fpoctl completion f", 2), "fish\n");
}

// docs/cli.md has one heading per command: "### fpoctl submit".
TEST(CommandTableTest, DocumentationHasTheSameCommandsAndOptions) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  ASSERT_NE(root, nullptr);
  std::ifstream in(absl::StrCat(root, "/docs/cli.md"));
  ASSERT_TRUE(in.good());
  std::map<std::string, std::string> sections;
  std::string section;
  for (std::string line; std::getline(in, line);) {
    if (absl::StartsWith(line, "### fpoctl ")) {
      section = line.substr(std::string("### fpoctl ").size());
    } else if (absl::StartsWith(line, "#")) {
      section.clear();
    }
    if (!section.empty()) absl::StrAppend(&sections[section], line, "\n");
  }
  for (const CommandSpec& command : Commands()) {
    ASSERT_EQ(sections.count(command.name), 1u) << command.name << " is not in docs/cli.md";
    for (const OptionSpec& option : command.options) {
      EXPECT_THAT(sections[command.name], HasSubstr("--" + option.name)) << command.name;
    }
  }
  EXPECT_EQ(sections.size(), Commands().size()) << "docs/cli.md names commands that do not exist";
}

struct BadLine {
  Words args;
  std::string message;
  std::string hint;
};

TEST(FlagsTest, BadLinesSayWhatAndWhereToLook) {
  const BadLine lines[] = {
      {{}, "no command given", "fpoctl --help"},
      {{"sumbit", "a.yaml"},
       "there is no command 'sumbit'; did you mean submit?",
       "fpoctl submit a.yaml"},
      {{"lsit"}, "there is no command 'lsit'; did you mean list?", "fpoctl list"},
      {{"desc"}, "did you mean describe?", "fpoctl describe --help"},
      {{"status", "j-1"}, "did you mean describe?", "fpoctl describe j-1"},
      {{"drain", "w1"}, "did you mean workers drain?", "fpoctl workers drain w1"},
      {{"worker", "list"}, "did you mean workers?", "fpoctl workers list"},
      {{"workers", "lst"},
       "no command 'workers lst'; did you mean workers list?",
       "fpoctl workers list"},
      {{"workers", "zzz"}, "there are list, drain", "fpoctl workers --help"},
      {{"list", "workers"}, "unexpected argument 'workers'; did you mean workers list?", ""},
      {{"frobnicate"}, "there is no command 'frobnicate'", "fpoctl --help"},
      {{"cache"}, "'cache' needs to know what to do: build, ls, info", "fpoctl cache --help"},
      {{"submit"}, "submit: FILE is missing", "fpoctl submit --help"},
      {{"list", "--colour"}, "list: there is no flag --colour", "fpoctl list --help"},
      {{"list", "--lable", "team=a"},
       "list: there is no flag --lable; did you mean --label?",
       "fpoctl list --label team=a"},
      {{"list", "--stat=RUNNING"}, "did you mean --state?", "fpoctl list --state=RUNNING"},
      {{"submit", "my job.yaml", "--dry"},
       "did you mean --dry-run?",
       "fpoctl submit 'my job.yaml' --dry-run"},
      {{"list", "-z"}, "list: there is no flag -z", "fpoctl list --help"},
      {{"list", "--limit"}, "list: --limit needs a value", "fpoctl list --help"},
      {{"list", "--json=yes"}, "list: --json takes no value", "fpoctl list --help"},
      {{"priority", "j-1", "abc"}, "N is 'abc' and must be a whole number from 0 to 1000", ""},
      {{"list", "--server", "foo"}, "list: --server: \"foo\" is not HOST:PORT", ""},
      {{"list", "extra"}, "list: unexpected argument 'extra'", "fpoctl list --help"},
      {{"list", "--state", "DONE"}, "list: --state is 'DONE' and must be one of QUEUED", ""},
      {{"list", "--limit", "-1"}, "list: --limit is '-1' and must be a whole number", ""},
      {{"wait", "j-1", "--timeout", "soon"},
       "wait: --timeout is 'soon' and must be a duration",
       ""},
      {{"submit", "a", "--set", "beta"}, "submit: --set is 'beta' and must be KEY=VALUE", ""},
      {{"submit", "a", "--request-id", "x", "--request-id", "y"},
       "--request-id is given 2 times",
       ""},
      {{"completion", "tcsh"}, "SHELL is 'tcsh' and must be one of bash, zsh, fish", ""},
  };
  for (const BadLine& bad : lines) {
    const ParsedLine line = Parse(bad.args);
    EXPECT_FALSE(line.invocation.has_value()) << bad.message;
    EXPECT_THAT(std::string(line.error.message()), HasSubstr(bad.message));
    EXPECT_EQ(ExitCodeOf(line.error), ExitCode::kUsage) << bad.message;
    EXPECT_THAT(GetErrorInfo(line.error).value_or(ErrorInfo()).hint, HasSubstr(bad.hint));
  }
}

TEST(FlagsTest, SharedOptionsStandAnywhere) {
  for (const Words& args : {Words{"--json", "list", "-q"}, Words{"list", "--json", "-q"}}) {
    const ParsedLine line = Parse(args);
    ASSERT_TRUE(line.invocation.has_value()) << line.error;
    EXPECT_TRUE(line.invocation->settings.json);
    EXPECT_TRUE(line.invocation->settings.quiet);
  }
}

TEST(FlagsTest, FlagsWinOverEnvironmentOverDefaults) {
  EXPECT_EQ(Parse({"list"}).invocation->settings.server, "127.0.0.1:7070");
  EXPECT_EQ(Parse({"list"}).invocation->settings.cache_server, "127.0.0.1:7080");
  Environment environment;
  environment.server = "a:1";
  environment.cache_server = "b:2";
  environment.tls_ca = "ca.pem";
  const ParsedLine line = ParseCommandLine({"list"}, environment);
  EXPECT_EQ(line.invocation->settings.server, "a:1");
  EXPECT_EQ(line.invocation->settings.cache_server, "b:2");
  EXPECT_EQ(line.invocation->settings.tls.ca, "ca.pem");
  const ParsedLine flags = ParseCommandLine({"list", "--server", "c:3"}, environment);
  EXPECT_EQ(flags.invocation->settings.server, "c:3");
}

TEST(FlagsTest, ValuesArrive) {
  const Invocation submit =
      *Parse({"submit", "job.yaml", "--set", "a.b=1", "--set", "c=x=y", "--wait"}).invocation;
  EXPECT_EQ(submit.Get("FILE"), "job.yaml");
  EXPECT_EQ(submit.GetAll("set"), (Words{"a.b=1", "c=x=y"}));
  EXPECT_TRUE(submit.Has("wait"));
  EXPECT_FALSE(submit.Has("dry-run"));
  const Invocation logs = *Parse({"logs", "-f", "list", "--tail", "5"}).invocation;
  EXPECT_EQ(logs.command->name, "logs");
  EXPECT_EQ(logs.Get("JOB"), "list") << "a job may be named like a command";
  EXPECT_EQ(logs.GetCount("tail", 0), 5);
  EXPECT_EQ(logs.GetCount("attempt", 7), 7);
  const Invocation wait = *Parse({"wait", "j", "--timeout", "90s"}).invocation;
  EXPECT_EQ(wait.GetDuration("timeout"), absl::Seconds(90));
  EXPECT_EQ(Parse({"list", "--state", "running"}).invocation->GetAll("state"), Words{"RUNNING"});
  EXPECT_EQ(Parse({"compare", "a", "b"}).invocation->GetAll("JOB"), (Words{"a", "b"}));
  EXPECT_EQ(Parse({"--version"}).invocation->command->name, "version");
}

}  // namespace
}  // namespace fpo::ctl
