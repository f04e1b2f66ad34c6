// A precompute job over two workers: both fill one manifest, and nothing is computed twice.

#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/local_service.h"

namespace fpo::testing {
namespace {

using nlohmann::json;

// The value of a counter without labels.
double Counter(const std::string& exposition, const std::string& name) {
  const size_t at = exposition.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(exposition.substr(at + name.size() + 2));
}

TEST(SeveralHosts, FillOneManifestTogether) {
  LocalService service;
  service.StartAll();
  service.StartWorker("w2");
  const std::string bin = getenv("FPO_BIN_DIR"), source = getenv("FPO_SOURCE_DIR");
  const Outcome made =
      RunProgram({source + "/examples/tiny/prepare.sh", service.Path("tiny"), bin + "/fpo-train"});
  ASSERT_EQ(made.code, 0) << made.err;
  const Outcome done =
      service.Ctl({"submit", service.Path("tiny/dpo.yaml"), "--wait", "--set", "name=together",
                   "--set", "kind=reference", "--set", "model.path=" + service.Path("tiny/base"),
                   "--set", "reference.path=" + service.Path("tiny/base"), "--set",
                   "reference.share=private", "--set", "resources.slots=2", "--set",
                   "data.max_pairs=240", "--set", "output=" + service.Path("tiny/runs/together")});
  ASSERT_EQ(done.code, 0) << done.out << done.err;
  const json job = service.Describe("together");
  EXPECT_EQ(job["attempts"][0]["workers"].size(), 2u);
  const json cache = job["progress"]["cache"];
  const int64_t total = Number(cache, "records_total");
  EXPECT_GT(total, 500);
  EXPECT_EQ(Number(cache, "records_hit"), 0);
  EXPECT_EQ(Number(cache, "records_computed"), total) << "each once, over both";
  const double first = Counter(service.Http("worker", "/metrics"), "fpo_records_computed_total");
  const double second = Counter(service.Http("w2", "/metrics"), "fpo_records_computed_total");
  EXPECT_GT(first, 0);
  EXPECT_GT(second, 0);
  EXPECT_EQ(first + second, static_cast<double>(total));
  const json listed = json::parse(service.Ctl({"cache", "ls", "--json"}).out);
  const json manifest = listed["manifests"][0];
  EXPECT_FALSE(manifest.value("owner", "").empty()) << "records belong to the job's owner";
  EXPECT_EQ(manifest["shares"][0].value("share", ""), "private");
  // A later job on the same data says at once what it saves.
  const Outcome next =
      service.Ctl({"submit", service.Path("tiny/dpo.yaml"), "--hold", "--set", "data.max_pairs=240",
                   "--set", "model.path=" + service.Path("tiny/base"), "--set",
                   "reference.path=" + service.Path("tiny/base"), "--set",
                   "reference.share=private", "--set", "output=" + service.Path("tiny/runs/next")});
  EXPECT_EQ(next.code, 0) << next.err;
  EXPECT_NE(next.out.find(std::to_string(total) + " of " + std::to_string(total) +
                          " present since job j-"),
            std::string::npos)
      << next.out;
}

}  // namespace
}  // namespace fpo::testing
