// fpoctl download through real programs: the worker's files, the coordinator between.
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/local_service.h"
#include "tests/support/temp_folder.h"

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DownloadIntegrationTest : public ::testing::Test {
 protected:
  DownloadIntegrationTest() : service_({.trainer = "fake"}) {
    service_.StartAll();
    EXPECT_EQ(service_
                  .Ctl({"submit", service_.WriteFakeJob("done", "steps-6-1-2"), "--wait", "--set",
                        "checkpoint.keep_last=9"})
                  .code,
              0);
    // What fpo-train exports; the script that stands in for it has no model.
    fs::create_directories(service_.Path("runs/done/model/deep"));
    WriteWhole(service_.Path("runs/done/model/config.json"), "{}");
    std::string weights(48 << 20, '\0');
    std::mt19937_64 random(7);
    for (size_t i = 0; i < weights.size(); i += 512) weights[i] = static_cast<char>(random());
    WriteWhole(service_.Path("runs/done/model/deep/weights"), weights);
    WriteWhole(service_.Path("runs/done/metrics.jsonl"), "{\"step\":1}\n");
  }
  bool Same(const std::string& name) {
    return *Sha256OfFile(service_.Path("runs/done/" + name)) ==
           *Sha256OfFile(service_.Path("got/" + name));
  }

  LocalService service_;
};

TEST_F(DownloadIntegrationTest, ResultAndCheckpointsComeWhole) {
  const Outcome got = service_.Ctl({"download", "done", "--to", service_.Path("got")});
  ASSERT_EQ(got.code, 0) << got.err;
  EXPECT_THAT(got.out, HasSubstr("downloaded 3 files, 48.0 MiB, to "));
  for (const char* name : {"model/config.json", "model/deep/weights", "metrics.jsonl"}) {
    EXPECT_TRUE(Same(name)) << name;
  }
  const Outcome step =
      service_.Ctl({"download", "done", "--step", "4", "--to", service_.Path("four"), "-q"});
  EXPECT_EQ(step.out, service_.Path("four") + "\n") << step.err;
  EXPECT_EQ(ReadWhole(service_.Path("four/model.safetensors")),
            ReadWhole(service_.Path("runs/done/checkpoints/step-4/model.safetensors")));
  fs::remove_all(service_.Path("runs/done/checkpoints/step-4"));
  const Outcome gone =
      service_.Ctl({"download", "done", "--step", "4", "--to", service_.Path("five")});
  EXPECT_EQ(gone.code, 4);
  EXPECT_THAT(gone.err, HasSubstr("does not exist (any more)"));
}

TEST_F(DownloadIntegrationTest, ABrokenDownloadGoesOnAndAGoneWorkerIsNamed) {
  const std::vector<std::string> words = {"download", "done", "--to", service_.Path("got"), "-q"};
  const std::string part = service_.Path("got/model/deep/weights.part");
  {
    Process download = service_.CtlProcess(words);
    while (download.Wait(absl::Milliseconds(1)) == -1 && !fs::exists(part)) {
    }
    service_.Kill("coordinator");  // under way, or done on a very fast machine
    service_.Start("coordinator");
    EXPECT_EQ(download.Wait(absl::Seconds(60)), 0) << ReadWhole(service_.Path("fpoctl.log"));
  }
  EXPECT_TRUE(Same("model/deep/weights"));
  service_.Kill("worker");
  const auto lost = [&] {
    return service_.Ctl({"workers", "list", "--json"}).out.find("\"lost\"") != std::string::npos;
  };
  while (!lost()) {
  }
  const Outcome gone = service_.Ctl({"download", "done", "--to", service_.Path("new")});
  EXPECT_EQ(gone.code, 7);
  EXPECT_THAT(gone.err, HasSubstr("are on w1, not connected now; hint: fpoctl workers list"));
}

}  // namespace
}  // namespace fpo::testing
