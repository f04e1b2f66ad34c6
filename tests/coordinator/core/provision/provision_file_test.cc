#include "coordinator/core/provision/provision_file.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

constexpr char kSlurm[] = R"(pools:
  - name: gpu
    engine: slurm
    device: cuda
    slots_per_worker: 4
    max_workers: 8
    idle: 5m
    labels: {gpu: h100}
    slurm:
      coordinator: host-a:7070
      cache: host-a:7080
      worker_token: /home/ada/slurm.token
      root: [/srv/models]
      output_root: [/srv/runs]
      work_dir: /scratch/fpo
      time: "24:00:00"
      partition: gpu
      options: [--qos=low]
)";

std::string Changed(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}
std::string Error(const std::string& text) {
  return std::string(ParseProvisionFile(text, "/etc/fpo/pools.yaml").status().message());
}

TEST(ProvisionFile, ReadsAPoolOfSlurm) {
  const auto pools = ParseProvisionFile(kSlurm, "pools.yaml");
  ASSERT_TRUE(pools.ok()) << pools.status();
  const ProvisionPool& pool = pools->at(0);
  EXPECT_EQ(pool.name, "gpu");
  EXPECT_EQ(pool.engine, EngineKind::kSlurm);
  EXPECT_EQ(pool.device, DeviceKind::kCuda);
  EXPECT_EQ(pool.slots_per_worker, 4);
  EXPECT_EQ(pool.max_workers, 8);
  EXPECT_EQ(pool.idle, absl::Minutes(5));
  EXPECT_EQ(pool.labels, (std::map<std::string, std::string>{{"gpu", "h100"}, {"pool", "gpu"}}));
  EXPECT_EQ(pool.slurm.workers.output_roots, std::vector<std::string>{"/srv/runs"});
  EXPECT_EQ(pool.slurm.workers.time, "24:00:00");
  EXPECT_EQ(pool.slurm.options, std::vector<std::string>{"--qos=low"});
}

TEST(ProvisionFile, ReadsAPoolOfACommand) {
  const auto pools = ParseProvisionFile(
      "pools:\n- {name: b, engine: command, max_workers: 2, command: {argv: [/opt/ask, -v]}}\n",
      "f");
  ASSERT_TRUE(pools.ok()) << pools.status();
  EXPECT_EQ(pools->at(0).argv, (std::vector<std::string>{"/opt/ask", "-v"}));
}

TEST(ProvisionFile, ReadsAManifestBesideIt) {
  const fpo::testing::TempFolder folder;
  fpo::testing::WriteWhole(folder / "worker.json",
                           R"({"kind":"Job","metadata":{"name":"w"},"spec":{"template":{"spec":
         {"containers":[{"args":["fpo-worker"]}]}}}})");
  fpo::testing::WriteWhole(folder / "pools.yaml",
                           "pools:\n- {name: k, engine: kubernetes, max_workers: 2,\n   kubernetes:"
                           " {manifest: worker.json}}\n");
  const auto pools = ReadProvisionFile(folder / "pools.yaml");
  ASSERT_TRUE(pools.ok()) << pools.status();
  EXPECT_THAT(pools->at(0).kubernetes.manifest, HasSubstr("fpo-worker"));
}

TEST(ProvisionFile, NamesLineAndKeyOfAMistake) {
  EXPECT_THAT(Error(Changed(kSlurm, "device: cuda", "device: tpu")),
              HasSubstr("/etc/fpo/pools.yaml:4: pools.gpu.device must be cpu or cuda"));
  EXPECT_THAT(Error(Changed(kSlurm, "max_workers: 8", "max_worker: 8")),
              HasSubstr("pools.gpu.max_workers is missing"));
  EXPECT_THAT(Error(Changed(kSlurm, "idle: 5m", "idle: soon")),
              HasSubstr(":7: pools.gpu.idle must be a time from 1s"));
  EXPECT_THAT(Error(Changed(kSlurm, "partition: gpu", "partitions: gpu")),
              HasSubstr(":17: pools.gpu.slurm.partitions is no key here"));
  EXPECT_THAT(Error(Changed(kSlurm, "work_dir: /scratch/fpo", "work_dir: scratch")),
              HasSubstr("pools.gpu.slurm.work_dir is 'scratch' and must be an absolute path"));
  EXPECT_THAT(Error(Changed(kSlurm, "[--qos=low]", "['; rm -rf /']")),
              HasSubstr("pools.gpu.slurm.options must each begin with --"));
  EXPECT_THAT(Error(Changed(kSlurm, "name: gpu", "name: GPU_1")),
              HasSubstr("must be 1 to 20 of small letters, digits and -"));
  EXPECT_THAT(Error(Changed(kSlurm, "{gpu: h100}", "{fpo-request: x}")),
              HasSubstr("labels.fpo-request is no label of a worker"));
  EXPECT_THAT(Error(Changed(kSlurm, "engine: slurm", "engine: pbs")),
              HasSubstr("must be slurm, kubernetes or command"));
  EXPECT_THAT(Error(std::string(kSlurm) + "  - " + std::string(kSlurm).substr(11)),
              HasSubstr("pools.gpu is there twice"));
  EXPECT_THAT(Error("pools: []\n"), HasSubstr("pools must be a list of 1 to 64 pools"));
  EXPECT_THAT(Error("pools: [\n"), HasSubstr("/etc/fpo/pools.yaml"));
}

}  // namespace
}  // namespace fpo::coordinator
