// The commands of README.md, typed as they stand there, on a tiny model in the places they name.

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/process.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// The lines of the fenced blocks below a heading of README.md.
std::string CommandsBelow(const std::string& heading) {
  std::ifstream readme(Environment("FPO_SOURCE_DIR") + "/README.md");
  std::string commands;
  bool below = false, fenced = false;
  for (std::string line; std::getline(readme, line);) {
    if (absl::StartsWith(line, "```")) {
      fenced = !fenced;
    } else if (!fenced && absl::StartsWith(line, "## ")) {
      below = line == "## " + heading;
    } else if (below && fenced) {
      absl::StrAppend(&commands, line, "\n");
    }
  }
  return commands;
}

// A network and a /srv of their own for one shell script, so that README's default ports are free
// and its folders are empty, whatever the machine has.
class ReadmeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (RunProgram({"/usr/bin/unshare", "--mount", "--net", "/bin/true"}).code != 0) {
      GTEST_SKIP() << "needs root: README's commands run in namespaces of their own";
    }
    char folder[] = "/tmp/fpo-readme-XXXXXX";
    folder_ = mkdtemp(folder);
    const std::string tiny = Environment("FPO_SOURCE_DIR") + "/examples/tiny/prepare.sh";
    const Outcome made = RunProgram({tiny, folder_ + "/tiny", Bin("fpo-train")});
    ASSERT_EQ(made.code, 0) << made.err;
    const Outcome sae =
        RunProgram({Bin("fpo-train"), "sae", "--model", folder_ + "/tiny/base", "--data",
                    folder_ + "/tiny/data/train.jsonl", "--layer", "1", "--site", "resid_post",
                    "--width", "128", "--steps", "20", "--out", folder_ + "/sae/params.npz"});
    ASSERT_EQ(sae.code, 0) << sae.err;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty() && !HasFailure()) fs::remove_all(folder_, ignored);
  }
  static std::string Bin(const std::string& name) {
    return Environment("FPO_BIN_DIR") + "/" + name;
  }
  // Runs the script in an empty folder with the tiny world at README's places.
  Outcome Type(const std::string& script) {
    const std::string whole = absl::StrCat(
        "set -eu\nip link set lo up\nmount -t tmpfs tmpfs /srv\n",
        "mkdir -p /srv/models /srv/saes /srv/data /srv/fpo\n", "cp -r ", folder_,
        "/tiny/base /srv/models/gemma\n", "cp -r ", folder_, "/sae/. /srv/saes/\n", "head -40 ",
        folder_, "/tiny/data/train.jsonl >/srv/data/train.jsonl\n", "head -16 ", folder_,
        "/tiny/data/eval.jsonl >/srv/data/eval.jsonl\n", "mkdir ", folder_, "/here\ncd ", folder_,
        "/here\nexport PATH=", Environment("FPO_BIN_DIR"), ":$PATH HOME=", folder_,
        "\nunset FPO_SERVER FPO_CACHE_SERVER\n", "trap 'kill $(jobs -p)' EXIT\n", script);
    std::ofstream(folder_ + "/script.sh") << whole;
    return RunProgram({"/usr/bin/unshare", "--mount", "--net", "/bin/bash", folder_ + "/script.sh"},
                      {}, absl::Minutes(5));
  }
  std::string folder_;
};

TEST_F(ReadmeTest, YourOwnModelAndData) {
  const std::string commands = CommandsBelow("Your own model and data");
  ASSERT_THAT(commands, HasSubstr("fpoctl submit"));
  const Outcome outcome = Type(commands + "fpoctl wait $(fpoctl list -q)\nfpoctl list --json\n");
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  std::map<std::string, std::string> states;  // by job name
  for (const absl::string_view line : absl::StrSplit(outcome.out, '\n')) {
    const auto answer = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
    if (!answer.is_object() || !answer.contains("jobs")) continue;
    for (const auto& job : answer["jobs"]) states[job["name"]] = job.value("state", "");
  }
  EXPECT_EQ(states, (std::map<std::string, std::string>{{"gemma-fpo-smoke", "SUCCEEDED"},
                                                        {"gemma-fpo", "SUCCEEDED"},
                                                        {"gemma-fpo-reference", "SUCCEEDED"},
                                                        {"gemma-fpo-beta-2", "SUCCEEDED"},
                                                        {"gemma-fpo-beta-5", "SUCCEEDED"}}))
      << outcome.out;
  EXPECT_TRUE(fs::exists(folder_ + "/here/runs/gemma-fpo/model/config.json"));
  EXPECT_TRUE(fs::exists(folder_ + "/here/runs/gemma-fpo/report.html"));
}

}  // namespace
}  // namespace fpo::testing
