#include "common/flags/program_flags.h"

#include <fstream>
#include <vector>

#include "common/error_info.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

// A program with a few flags and two commands.
struct Program {
  ProgramFlags program{"fpo-thing", "Does things."};
  absl::Duration lease = absl::Seconds(15);
  int threads = 1;
  int count = 0;
  std::string device = "auto";
  bool check = false;
  std::string out;

  explicit Program(bool commands = false) {
    FlagSet flags = program.flags();
    program.AddConfigFile("");
    program.AddVersion("1");
    flags.AddDuration("--lease", &lease, "how long");
    flags.Add("--threads", &threads, "").Between(1, 8);
    flags.Add("--count", &count, "");
    flags.Add("--device", &device, "").OneOf({"auto", "cpu", "cuda"});
    flags.Add("--check", &check, "").OnCommandLineOnly();
    if (!commands) return;
    program.AddCommand("prepare", "");
    program.AddCommand("run", "").Add("--out", &out, "").Required();
  }
  absl::StatusOr<std::optional<std::string>> Parse(std::vector<const char*> words) {
    words.insert(words.begin(), "fpo-thing");
    return program.Parse({static_cast<int>(words.size()), words.data()});
  }
};

std::string Error(const std::vector<const char*>& words, bool commands = false) {
  Program program(commands);
  const auto parsed = program.Parse(words);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return ProgramErrorText(parsed.status());
}

TEST(ProgramFlags, MistakesNameWhatIsMeant) {
  const std::string help = "; hint: fpo-thing --help\n";
  EXPECT_EQ(Error({"--laese", "3s"}),
            "error: there is no flag --laese; did you mean --lease?" + help);
  EXPECT_EQ(Error({"--laese=3s"}), "error: there is no flag --laese; did you mean --lease?" + help);
  EXPECT_EQ(Error({"--frobnicate"}), "error: there is no flag --frobnicate" + help);
  EXPECT_EQ(Error({"stray"}), "error: unexpected argument 'stray'" + help);
  EXPECT_EQ(Error({"--lease"}), "error: --lease needs a value" + help);
  EXPECT_EQ(Error({"--lease", "5 minuets"}),
            "error: --lease: \"5 minuets\" is not a duration like 200ms, 90s, 1h30m or 30d" + help);
  EXPECT_EQ(Error({"--count", "abc"}), "error: --count is 'abc' and must be a number" + help);
  EXPECT_EQ(Error({"--threads", "9"}), "error: --threads is '9' and must be from 1 to 8" + help);
  EXPECT_EQ(
      Error({"--device", "cud"}),
      "error: --device is 'cud' and must be one of auto, cpu, cuda; did you mean cuda?" + help);
  EXPECT_EQ(Error({"--config", "/nowhere.toml"}),
            "error: --config: open /nowhere.toml: No such file or directory" + help);
}

TEST(ProgramFlags, MistakesOfACommandNameIt) {
  EXPECT_EQ(Error({}, true), "error: name a command: prepare, run; hint: fpo-thing --help\n");
  EXPECT_EQ(Error({"rnu"}, true),
            "error: there is no command 'rnu'; did you mean run?; hint: fpo-thing --help\n");
  EXPECT_EQ(Error({"run"}, true), "error: run: --out is required; hint: fpo-thing run --help\n");
  EXPECT_EQ(Error({"run", "--out", "o", "--uot", "x"}, true),
            "error: run: there is no flag --uot; did you mean --out?; hint: fpo-thing run "
            "--help\n");
}

TEST(ProgramFlags, HelpAndVersionAreTexts) {
  Program program;
  EXPECT_NE(program.Parse({"--help"}).value().value().find("--lease"), std::string::npos);
  Program again;
  EXPECT_EQ(again.Parse({"--version"}).value().value(), "fpo-thing 1\n");
  Program quiet;
  EXPECT_FALSE(quiet.Parse({"--lease", "1d"}).value().has_value());
  EXPECT_EQ(quiet.lease, absl::Hours(24));
}

class ConfigFileTest : public ::testing::Test {
 protected:
  std::string ErrorOf(const std::string& text, std::vector<const char*> words = {}) {
    std::ofstream(path_) << text;
    words.insert(words.end(), {"--config", path_.c_str()});
    const std::string error = Error(words);
    const std::string begin = "error: " + path_;
    EXPECT_EQ(error.rfind(begin, 0), 0u) << error;
    return error.substr(std::min(begin.size(), error.size()));
  }
  const std::string path_ = ::testing::TempDir() + "/thing.toml";
};

TEST_F(ConfigFileTest, MistakesNameFileLineAndKey) {
  const std::string help = "; hint: fpo-thing --help\n";
  EXPECT_EQ(ErrorOf("# mine\n\nlaese = \"3s\"\n"),
            ":3: laese: unknown key; did you mean lease?" + help);
  EXPECT_EQ(ErrorOf("check = true\n"), ":1: check: unknown key" + help)
      << "not for files, so it is not known there";
  EXPECT_EQ(ErrorOf("lease: 3s\n"), ":1: \"lease: 3s\" is not KEY = VALUE" + help);
  EXPECT_EQ(ErrorOf("[limits]\nlease = \"3s\"\n"),
            ":1: sections are not supported: write only KEY = VALUE lines" + help);
  EXPECT_EQ(ErrorOf("lease = \"3s\"\nlease = \"4s\"\n"),
            ":2: lease: is already set in line 1" + help);
  EXPECT_EQ(
      ErrorOf("threads = 2\nlease = \"15\"\n"),
      ":2: --lease: \"15\" is not a duration like 200ms, 90s, 1h30m or 30d; did you mean 15s?" +
          help);
  EXPECT_EQ(ErrorOf("threads = \"abc\"\n"),
            ":1: --threads is 'abc' and must be from 1 to 8" + help);
}

TEST_F(ConfigFileTest, ErrorsOfValuesThatParsedAreFound) {
  std::ofstream(path_) << "threads = 2\nlease = \"3s\" # short\n";
  Program program;
  const std::vector<const char*> words = {"fpo-thing", "--config", path_.c_str(), "--threads", "3"};
  ASSERT_TRUE(program.program.Parse({static_cast<int>(words.size()), words.data()}).ok());
  EXPECT_EQ(program.threads, 3) << "the command line wins";
  const auto locate = [&](const char* message) {
    return ProgramErrorText(program.program.Locate(absl::InvalidArgumentError(message)));
  };
  EXPECT_EQ(locate("--lease is 3s, allowed: 6s to 1h"),
            "error: " + path_ + ":2: --lease is 3s, allowed: 6s to 1h; hint: fpo-thing --help\n");
  EXPECT_EQ(locate("--threads is 3"), "error: --threads is 3; hint: fpo-thing --help\n");
  EXPECT_TRUE(program.program.Locate(absl::OkStatus()).ok());
}

TEST_F(ConfigFileTest, AnEmptyFileSetsNothing) {
  std::ofstream(path_) << "";
  Program program;
  EXPECT_TRUE(program.Parse({"--config", path_.c_str()}).ok());
}

TEST(ProgramFlags, AFlagOfACommandMayBeCalledConfig) {
  ProgramFlags program("fpo-thing", "");
  std::string file;
  program.AddCommand("make", "").Add("--config", &file, "");
  const std::vector<const char*> words = {"fpo-thing", "make", "--config", "/nowhere.json"};
  EXPECT_TRUE(program.Parse({static_cast<int>(words.size()), words.data()}).ok());
}

TEST_F(ConfigFileTest, ListsMayHaveSeveralLines) {
  std::vector<std::string> quotas;
  ProgramFlags program("fpo-thing", "");
  program.AddConfigFile("");
  program.flags().Add("--quota", &quotas, "");
  std::ofstream(path_) << "quota = [\"a=1\",\n  \"b=2\"]\n";
  const std::vector<const char*> words = {"fpo-thing", "--config", path_.c_str()};
  const auto parsed = program.Parse({static_cast<int>(words.size()), words.data()});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(quotas, (std::vector<std::string>{"a=1", "b=2"}));
}

}  // namespace
}  // namespace fpo
