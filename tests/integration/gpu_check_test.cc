// scripts/gpu_check.sh and the run.sh that it packs, on the CPU with small shapes, as on a GPU
// host: another user, no environment, neither this tree nor the build machine's LibTorch within
// reach.

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/process.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;

constexpr uintmax_t kPackBytesMax = 60 << 20;

std::string Variable(const char* name) { return getenv(name) == nullptr ? "" : getenv(name); }

nlohmann::json ReadJson(const fs::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
}

std::string ReadText(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct CheckRun {
  Outcome outcome;
  nlohmann::json results;  // results.json
  std::string table, lines;

  nlohmann::json Part(const std::string& name) const {
    for (const auto& part : results.value("parts", nlohmann::json::array())) {
      if (part["part"] == name) return part;
    }
    return {{"result", "not there"}, {"text", ""}};
  }
  std::string ResultOf(const std::string& name) const { return Part(name)["result"]; }
  std::string TextOf(const std::string& name) const { return Part(name)["text"]; }
};

bool NeedsGpu(const std::string& part) {
  return part == "kernels" || part == "simpo-fused" || part == "simpo-plain";
}

class GpuCheckTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char folder[] = "/tmp/fpo-gpu-check-XXXXXX";
    folder_ = mkdtemp(folder);
    const Outcome packed = RunProgram({Variable("FPO_SOURCE_DIR") + "/scripts/gpu_check.sh",
                                       "--no-build", "--pack", (folder_ / "pack").string()});
    ASSERT_EQ(packed.code, 0) << packed.err;
    // What a torch package holds, by links where that is possible.
    const std::string torch = (folder_ / "torch").string();
    const Outcome linked = RunProgram(
        {"/bin/bash", "-c",
         absl::StrCat("mkdir -p ", torch, "/lib && { cp -rl ", Variable("FPO_TORCH_DIR"), "/lib/. ",
                      torch, "/lib/ 2>/dev/null || cp -r ", Variable("FPO_TORCH_DIR"), "/lib/. ",
                      torch, "/lib/; } && chmod -R a+rX ", (folder_ / "pack").string(),
                      " && chmod ", "a+rx ", folder_.string())});
    ASSERT_EQ(linked.code, 0) << linked.err;
  }
  static void TearDownTestSuite() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  // run.sh with more arguments; as nobody, with tmpfs over this tree and the home folder, if this
  // is root.
  static CheckRun Check(const std::string& name, const std::string& arguments) {
    const bool root = RunProgram({"/usr/bin/unshare", "--mount", "/bin/true"}).code == 0;
    const std::string source = Variable("FPO_SOURCE_DIR"), out = (folder_ / name).string();
    std::string script = "set -eu\n";
    if (root) {
      absl::StrAppend(&script, "mount -t tmpfs tmpfs ", source, "\n[ -z \"$(ls ", source,
                      ")\" ]\nmount -t tmpfs tmpfs \"$HOME\"\n");
    }
    absl::StrAppend(&script, "mkdir -m 777 ", out, " ", out, ".tmp\ncd ", out, "\nexec ",
                    root ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "",
                    "env -i PATH=/usr/bin:/bin OMP_NUM_THREADS=1 HOME=/nonexistent TMPDIR=", out,
                    ".tmp ", (folder_ / "pack").string(),
                    "/run.sh --device cpu --shapes small --out ", out, " --torch ",
                    (folder_ / "torch").string(), " ", arguments, "\n");
    std::ofstream(folder_ / (name + ".sh")) << script;
    std::vector<std::string> argv = {"/bin/bash", (folder_ / (name + ".sh")).string()};
    if (root) argv.insert(argv.begin(), {"/usr/bin/unshare", "--mount"});
    if (!root) std::printf("not root: without another user and with this tree in reach\n");
    CheckRun run;
    run.outcome = RunProgram(argv, {}, absl::Minutes(9));
    run.results = ReadJson(fs::path(out) / "results.json");
    run.table = ReadText(fs::path(out) / "results.md");
    run.lines = ReadText(fs::path(out) / "results.jsonl");
    EXPECT_TRUE(fs::is_empty(out + ".tmp")) << "run.sh left its scratch folder";
    return run;
  }

  // One run of everything, for the tests that only read it.
  static const CheckRun& Whole() {
    static const CheckRun run = Check("whole", "--budget 500");
    return run;
  }

  static fs::path folder_;
};

fs::path GpuCheckTest::folder_;

TEST_F(GpuCheckTest, ThePackIsSmallAndSaysWhatItIs) {
  uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "pack")) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  EXPECT_LT(bytes, kPackBytesMax);
  const nlohmann::json pack = ReadJson(folder_ / "pack/pack.json");
  EXPECT_EQ(pack.value("torch", ""), "2.11.0");
  EXPECT_NE(pack.value("commit", ""), "");
}

TEST_F(GpuCheckTest, EveryPartRunsOnABareHost) {
  const CheckRun& run = Whole();
  ASSERT_EQ(run.outcome.code, 0) << run.outcome.out << run.outcome.err;
  EXPECT_TRUE(run.results.value("ok", false));
  std::vector<std::string> parts;
  for (const auto& part : run.results["parts"]) {
    parts.push_back(part["part"]);
    const std::string name = part["part"];
    // Without torch for python3, and what compares ways of computing on a GPU.
    const bool may_skip = name == "peer" || NeedsGpu(name);
    if (NeedsGpu(name)) EXPECT_EQ(run.TextOf(name), "needs a GPU");
    EXPECT_THAT(part["result"].get<std::string>(),
                AnyOf(Eq("ok"), Eq(may_skip ? "skipped" : "ok")));
    EXPECT_THAT(run.table, HasSubstr(absl::StrCat("| ", part["part"].get<std::string>(), " | ")));
  }
  EXPECT_THAT(parts,
              ElementsAre("device", "golden", "products", "kernels", "copy", "pipeline", "repeat",
                          "resume", "group", "model", "simpo", "simpo-fused", "fpo-records", "peer",
                          "simpo-plain", "dpo-online", "tdpo2-online"));
  const std::vector<std::string> lines = absl::StrSplit(run.lines, '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), parts.size());
  for (const std::string& line : lines) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST_F(GpuCheckTest, EveryMethodHasItsRowsOfSteps) {
  const CheckRun& run = Whole();
  ASSERT_EQ(run.outcome.code, 0) << run.outcome.out << run.outcome.err;
  for (const char* method : {"simpo", "fpo-records", "dpo-online", "tdpo2-online"}) {
    const nlohmann::json rows = run.Part(method)["values"]["rows"];
    ASSERT_EQ(rows.size(), 2u) << method;
    EXPECT_EQ(rows[0]["shape"], "full");
    EXPECT_EQ(rows[0]["tokens"], 4 * 2 * 64);
    EXPECT_EQ(rows[1]["shape"], "real");
    for (const auto& row : rows) {
      for (const char* number :
           {"seconds", "tokens_per_second", "gflop_per_token", "of_measured_product"}) {
        EXPECT_GT(row[number].get<double>(), 0) << method << " " << number;
      }
      for (const char* part : {"forward", "backward", "update"}) {
        EXPECT_GT(row["parts"][part].get<double>(), 0) << method << " " << part;
      }
    }
    EXPECT_THAT(run.table, HasSubstr(absl::StrCat("| ", method, " | full | ")));
    EXPECT_THAT(run.table, HasSubstr(absl::StrCat("| ", method, " | real | ")));
  }
}

// The rest goes on, and the exit code says that something failed.
TEST_F(GpuCheckTest, ADamagedGoldenFileIsAFailedRow) {
  const fs::path golden = folder_ / "pack/tests/golden/gemma2.safetensors";
  const std::string whole = ReadText(golden);
  std::string damaged = whole;
  damaged.replace(damaged.size() / 2, 4096, 4096, '\1');
  std::ofstream(golden, std::ios::trunc) << damaged;
  const CheckRun run = Check("damaged", "--parts golden group");
  std::ofstream(golden, std::ios::trunc) << whole;
  EXPECT_EQ(run.outcome.code, 1);
  EXPECT_FALSE(run.results.value("ok", true));
  EXPECT_EQ(run.ResultOf("golden"), "failed");
  EXPECT_THAT(run.TextOf("golden"), HasSubstr("gemma2_cpu"));
  EXPECT_EQ(run.ResultOf("group"), "ok");
  EXPECT_THAT(run.table, HasSubstr("| golden | failed | "));
}

TEST_F(GpuCheckTest, AMissingLibraryIsNamed) {
  fs::path library;
  for (const auto& entry : fs::directory_iterator(folder_ / "pack/lib")) {
    if (entry.path().filename().string().rfind("libyaml-cpp", 0) == 0) library = entry.path();
  }
  ASSERT_FALSE(library.empty());
  // An empty file, since this machine has the library itself.
  fs::rename(library, folder_ / "kept");
  std::ofstream(library).close();
  const CheckRun run = Check("missing", "--parts golden");
  fs::rename(folder_ / "kept", library);
  EXPECT_EQ(run.outcome.code, 1);
  EXPECT_EQ(run.ResultOf("device"), "failed");
  EXPECT_THAT(run.TextOf("device"), HasSubstr("libyaml-cpp"));
  EXPECT_EQ(run.TextOf("golden"), "not started: it needs the part device");
}

TEST_F(GpuCheckTest, AProgramThatHangsIsEndedAndNamed) {
  const fs::path trainer = folder_ / "pack/bin/fpo-train";
  fs::rename(trainer, folder_ / "kept");
  std::ofstream(trainer) << "#!/bin/sh\n[ \"$1\" = --version ] || exec sleep 1000\n";
  fs::permissions(trainer, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  const CheckRun run = Check("hangs", "--budget 2 --parts device");
  fs::rename(folder_ / "kept", trainer);
  EXPECT_EQ(run.outcome.code, 1);
  EXPECT_EQ(run.ResultOf("device"), "failed");
  EXPECT_THAT(run.TextOf("device"), HasSubstr("out of time in fpo-train"));
  EXPECT_TRUE(ProcessesWith((folder_ / "pack").string()).empty());
}

}  // namespace
}  // namespace fpo::testing
