// The commands that ask and print; those that submit and follow are in follow_test.cc.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "gmock/gmock.h"
#include "tests/ctl/command_run.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using CommandsTest = CommandRun;

TEST_F(CommandsTest, ListPrintsATable) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING));
  coordinator_.AddJob(SampleMessage("j-1002", pb::JOB_STATE_FAILED));
  const Result result = Run({"list", "--state", "running", "--state", "FAILED", "--owner", "ann"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("JOB     NAME      KIND       STATE    PHASE  STEP    AGE"));
  EXPECT_THAT(result.out, HasSubstr("j-1002  tiny-fpo  train:fpo  FAILED "));
  const pb::ListJobsRequest asked = coordinator_.lists().at(0);
  EXPECT_EQ(asked.owner(), "ann");
  ASSERT_EQ(asked.states_size(), 2);
  EXPECT_EQ(asked.states(0), pb::JOB_STATE_RUNNING);
}

TEST_F(CommandsTest, ListReadsAllPagesAndStopsAtItsLimit) {
  for (int i = 0; i < 620; ++i) {
    coordinator_.AddJob(SampleMessage(absl::StrCat("j-", 10000 + i), pb::JOB_STATE_QUEUED));
  }
  const Result all = Run({"list", "-q", "--limit", "0"});
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 620);
  const Result some = Run({"list"});
  EXPECT_EQ(std::count(some.out.begin(), some.out.end(), '\n'), 101);
  EXPECT_THAT(some.err, HasSubstr("there are more than these 100 jobs"));
}

TEST_F(CommandsTest, ListJsonIsTheAnswer) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING));
  const Result result = Run({"list", "--json"});
  const json answer = json::parse(result.out);
  EXPECT_EQ(answer["jobs"][0]["job_id"], "j-1001");
  EXPECT_EQ(answer["jobs"][0]["state"], "RUNNING");
  EXPECT_EQ(answer["jobs"][0]["submitted"], "2025-01-31T14:03:11Z");
  EXPECT_EQ(answer["jobs"][0]["restarts_used"], 0) << "fields with default values are there too";
}

TEST_F(CommandsTest, DescribeByPrefixAndName) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_FAILED));
  const Result result = Run({"describe", "j-10"});
  EXPECT_EQ(result.code, 0) << "looking at a failed job is no failure";
  EXPECT_THAT(result.out, HasSubstr("reason      program: loss is not finite at step 64\n"));
  EXPECT_EQ(json::parse(Run({"describe", "tiny-fpo", "--json"}).out)["job"]["job_id"], "j-1001");
  EXPECT_EQ(Run({"describe", "tiny-fpo", "-q"}).out, "j-1001\n");
}

TEST_F(CommandsTest, UnknownJobIsNotFound) {
  for (const char* command : {"describe", "compare", "logs", "watch", "wait", "cancel"}) {
    const Result result = Run({command, "j-9"});
    EXPECT_EQ(result.code, 4) << command;
    EXPECT_EQ(result.err, "error: there is no job 'j-9'; hint: fpoctl list\n") << command;
    EXPECT_EQ(result.out, "") << command;
  }
  const json error = json::parse(Run({"describe", "j-9", "--json"}).err);
  EXPECT_EQ(error["code"], "NOT_FOUND");
  EXPECT_EQ(error["reason"], "JOB_NOT_FOUND");
  EXPECT_EQ(error["field"], "job_id");
}

TEST_F(CommandsTest, ServerErrorsKeepTheirExitCodes) {
  const std::pair<absl::Status, int> cases[] = {
      {absl::PermissionDeniedError("not yours"), 6},
      {absl::FailedPreconditionError("too late"), 7},
      {absl::ResourceExhaustedError("queue full"), 8},
      {absl::InvalidArgumentError("bad page"), 3},
      {absl::InternalError("broken"), 1},
  };
  for (const auto& [error, code] : cases) {
    coordinator_.FailNext("ListJobs", error);
    const Result result = Run({"list"});
    EXPECT_EQ(result.code, code) << error;
    EXPECT_THAT(result.err, AllOf(StartsWith("error: "), HasSubstr("; hint: ")));
  }
}

TEST_F(CommandsTest, UnreachableCoordinator) {
  coordinator_.Stop();
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"list"}, {"describe", "j"}, {"watch", "j"}, {"workers", "list"}}) {
    const Result result = Run(args);
    EXPECT_EQ(result.code, 5);
    EXPECT_THAT(result.err, HasSubstr(absl::StrCat("the coordinator at ", coordinator_.address(),
                                                   " cannot be reached")));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

TEST_F(CommandsTest, MalformedAddressIsUsage) {
  const Result result = Run({"list", "--server", "nowhere"});
  EXPECT_EQ(result.code, 2) << result.err;
}

TEST_F(CommandsTest, AuditReadsPagesUpToItsLimit) {
  std::vector<pb::AuditEntry> entries(1200);
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].set_cursor(entries.size() - i);
    entries[i].set_who("ana");
    entries[i].set_method("CancelJob");
    entries[i].set_result("OK");
  }
  coordinator_.SetAudit(entries);
  const Result some = Run({"audit"});
  EXPECT_EQ(some.code, 0) << some.err;
  EXPECT_EQ(std::count(some.out.begin(), some.out.end(), '\n'), 51);
  EXPECT_THAT(some.out, HasSubstr("ana  CancelJob  -       OK"));
  const json all = json::parse(Run({"audit", "--limit", "0", "--json"}).out);
  EXPECT_EQ(all["entries"].size(), 1200u);
}

TEST_F(CommandsTest, CancelTakesAGraceOfItsOwn) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING));
  EXPECT_EQ(Run({"cancel", "j-1001", "--grace", "90s"}).code, 0);
  EXPECT_EQ(coordinator_.cancels().at(0).grace().seconds(), 90);
  EXPECT_EQ(Run({"cancel", "j-1001", "--grace", "90s", "--now"}).code, 2);
}

TEST_F(CommandsTest, ListFiltersByLabel) {
  EXPECT_EQ(Run({"list", "--label", "team=a", "--label", "run=1"}).code, 0);
  EXPECT_EQ(coordinator_.lists().at(0).labels().at("run"), "1");
  EXPECT_EQ(Run({"list", "--label", "team"}).code, 2);
}

TEST_F(CommandsTest, CancelSaysTheStateItWrote) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING));
  EXPECT_EQ(Run({"cancel", "tiny-fpo"}).out,
            "job j-1001 is CANCELLING; wait for its end: fpoctl wait j-1001\n");
  EXPECT_EQ(Run({"cancel", "j-1001", "--now"}).out, "job j-1001 is CANCELLED\n");
  EXPECT_EQ(json::parse(Run({"cancel", "j-1001", "--json"}).out)["job"]["state"], "CANCELLING");
  ASSERT_EQ(coordinator_.cancels().size(), 3u);
  EXPECT_EQ(coordinator_.cancels()[0].job_id(), "j-1001") << "names are resolved first";
  EXPECT_TRUE(coordinator_.cancels()[1].now());
  coordinator_.AddJob(SampleMessage("j-1002", pb::JOB_STATE_SUCCEEDED));
  const Result late = Run({"cancel", "j-1002"});
  EXPECT_EQ(late.code, 7);
  EXPECT_EQ(late.err,
            "error: job j-1002 cannot be cancelled: it is SUCCEEDED already; hint: fpoctl describe "
            "j-1002\n");
}

TEST_F(CommandsTest, CompareTakesSeveralJobs) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_SUCCEEDED));
  const Result result = Run({"compare", "j-1001", "tiny-fpo"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 3);
  EXPECT_THAT(result.out, HasSubstr("0.9130"));
}

TEST_F(CommandsTest, CompareTakesALabelAndSaysWhatToType) {
  for (int i = 1; i <= 3; ++i) {
    pb::Job job = SampleMessage(absl::StrCat("j-100", i), pb::JOB_STATE_SUCCEEDED);
    if (i == 3) job.set_kind(pb::JOB_KIND_REFERENCE);
    coordinator_.AddJob(job);
  }
  const Result labelled = Run({"compare", "--label", "sweep=5f0c2a9e", "-q"});
  EXPECT_EQ(labelled.code, 0) << labelled.err;
  EXPECT_EQ(labelled.out, "j-1002\nj-1001\n") << "a job that computes records has no results";
  EXPECT_EQ(coordinator_.lists().at(0).labels().at("sweep"), "5f0c2a9e");
  const Result bare = Run({"compare"});
  EXPECT_EQ(bare.code, 2);
  EXPECT_THAT(bare.err, HasSubstr("name the jobs to compare"));
  EXPECT_THAT(bare.err, HasSubstr("hint: fpoctl compare j-1001 j-1002\n"));
}

TEST_F(CommandsTest, CompareWithoutAnyResultSaysSo) {
  EXPECT_EQ(Run({"compare", "--label", "sweep=none"}).code, 4);
  const Result bare = Run({"compare"});
  EXPECT_EQ(bare.code, 2);
  EXPECT_THAT(bare.err, HasSubstr("none has SUCCEEDED yet"));
}

TEST_F(CommandsTest, MetricsHintsLeadElsewhere) {
  coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING));
  const Result none = Run({"metrics", "j-1001"});
  EXPECT_EQ(none.code, 4);
  EXPECT_THAT(none.err, HasSubstr("hint: fpoctl watch j-1001"));
  EXPECT_EQ(Run({"metrics", "j-1001", "--json"}).code, 4) << "--json changes no exit code";
  EXPECT_THAT(Run({"metrics", "j-1001", "--name", "los"}).err,
              HasSubstr("their names: fpoctl metrics -q j-1001"));
}

TEST_F(CommandsTest, WorkersList) {
  const Result none = Run({"workers", "list"});
  EXPECT_EQ(none.code, 0);
  EXPECT_THAT(none.err, HasSubstr("no worker has registered; start fpo-worker --coordinator"));
  pb::Worker worker;
  worker.set_worker_id("w1");
  worker.set_state(pb::WORKER_STATE_READY);
  worker.set_slots(2);
  coordinator_.AddWorker(worker);
  EXPECT_THAT(Run({"workers", "list"}).out, HasSubstr("w1      -     ready  0/2"));
  EXPECT_EQ(Run({"workers", "list", "-q"}).out, "w1\n");
  worker.set_worker_id("w2");
  worker.set_device(pb::DEVICE_KIND_CUDA);
  for (int i = 0; i < 8; ++i) {
    worker.add_devices()->set_name("NVIDIA H100");
    worker.mutable_devices(i)->set_memory_bytes(int64_t{80} << 30);
  }
  coordinator_.AddWorker(worker);
  EXPECT_THAT(Run({"workers", "list"}).out, HasSubstr("cuda: 8 x NVIDIA H100, 80.0 GiB"));
  EXPECT_EQ(json::parse(Run({"workers", "list", "--json"}).out)["workers"][0]["slots"], 2);
  coordinator_.FailNext("ListWorkers", absl::PermissionDeniedError("admin only"));
  EXPECT_EQ(Run({"workers", "list"}).code, 6);
}

pb::Manifest SampleManifest(const std::string& id) {
  pb::Manifest manifest;
  manifest.set_manifest_id(id + std::string(32 - id.size(), '\x11'));
  manifest.set_name("tiny-fpo");
  manifest.set_total(2400);
  manifest.set_present(2400);
  manifest.set_bytes(1 << 20);
  return manifest;
}

TEST_F(CommandsTest, CacheListAndInfo) {
  cache_.AddManifest(SampleManifest("\x3f\xa9"));
  cache_.AddManifest(SampleManifest("\x3f\xbb"));
  EXPECT_THAT(Run({"cache", "ls"}).out,
              HasSubstr("3fa911111111  tiny-fpo  -      2,400    100 %    1.0 MiB"));
  EXPECT_EQ(json::parse(Run({"cache", "ls", "--json"}).out)["manifests"].size(), 2u);
  EXPECT_THAT(Run({"cache", "info", "3FA"}).out, HasSubstr("manifest  3fa91111"));
  EXPECT_EQ(json::parse(Run({"cache", "info", "3fa", "--json"}).out)["manifest"]["total"], "2400");
  const Result both = Run({"cache", "info", "3f"});
  EXPECT_EQ(both.code, 4);
  EXPECT_EQ(both.err,
            "error: more than one manifest's id begins with '3f'; hint: fpoctl cache ls\n");
  EXPECT_EQ(Run({"cache", "info", "77"}).code, 4);
  pb::StatsResponse stats;
  stats.set_records(4800);
  cache_.SetStats(stats);
  EXPECT_THAT(Run({"cache", "info"}).out, HasSubstr("records      4,800\n"));
  EXPECT_EQ(json::parse(Run({"cache", "info", "--json"}).out)["records"], "4800");
}

TEST_F(CommandsTest, CacheUnreachableNamesItsOwnFlag) {
  const Result result = Run({"cache", "ls", "--cache-server", "127.0.0.1:1"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("the cache at 127.0.0.1:1 cannot be reached"));
  EXPECT_THAT(result.err, HasSubstr("--cache-server or FPO_CACHE_SERVER"));
}

TEST_F(CommandsTest, Health) {
  const Result well = Run({"health"});
  EXPECT_EQ(well.code, 0) << well.err;
  EXPECT_THAT(well.out,
              HasSubstr(absl::StrCat("coordinator  ", coordinator_.address(), "  SERVING\n")));
  EXPECT_EQ(Run({"health", "cache", "-q"}).out, "");
  coordinator_.SetServing(false);
  const Result draining = Run({"health", "coordinator"});
  EXPECT_EQ(draining.code, 5);
  EXPECT_THAT(draining.out, HasSubstr("NOT_SERVING"));
  coordinator_.Stop();
  const Result gone = Run({"health", "--json"});
  EXPECT_EQ(gone.code, 5);
  EXPECT_THAT(gone.out, HasSubstr("\"status\":\"UNREACHABLE\",\"error\":\"the coordinator at "));
  EXPECT_THAT(gone.err, HasSubstr("\"reason\":\"NOT_SERVING\""));
}

TEST_F(CommandsTest, VersionHelpAndUsage) {
  EXPECT_THAT(Run({"version"}).out, StartsWith("fpoctl "));
  EXPECT_EQ(Run({"--version"}).out, Run({"version"}).out);
  EXPECT_TRUE(json::parse(Run({"version", "--json"}).out).contains("version"));
  EXPECT_EQ(Run({"--help"}).code, 0);
  EXPECT_THAT(Run({"completion", "bash"}).out,
              HasSubstr("complete -o filenames -F _fpoctl fpoctl"));
  const Result bad = Run({"list", "--nope"});
  EXPECT_EQ(bad.code, 2);
  EXPECT_EQ(bad.err, "error: list: there is no flag --nope; hint: fpoctl list --help\n");
  const Result unknown = Run({"help", "sumbit"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.err,
            "error: there is no command 'sumbit'; did you mean submit?; hint: fpoctl submit "
            "--help\n");
  EXPECT_EQ(json::parse(Run({"list", "--nope", "--json"}).err)["reason"], "USAGE");
}

TEST_F(CommandsTest, SchemaAndInit) {
  EXPECT_TRUE(json::parse(Run({"schema"}).out).contains("properties"));
  const Result example = Run({"init", "fpo"});
  EXPECT_EQ(example.code, 0) << example.err;
  const Result valid = Run({"validate", WriteJob(example.out)});
  EXPECT_EQ(valid.code, 0) << "the template is a valid job";
  EXPECT_THAT(valid.out, HasSubstr("valid (train, fpo), but 3 paths are not on this machine"));
  EXPECT_THAT(valid.err, HasSubstr("model.path: there is no folder /path/to/model: that is the "
                                   "example's placeholder; name your own"));
  const Result unknown = Run({"init", "ppo"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("dpo"));
}

TEST_F(CommandsTest, WhatARunWouldRefuseIsSaidBeforeItIsQueued) {
  const std::string path = WriteJob();
  const auto put = [&](const std::string& name, const std::string& text) {
    const std::filesystem::path file = folder_ + "/" + name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  };
  put("sft/model/config.json", R"({"model_type": "gemma2", "num_hidden_layers": 4})");
  put("sft/model/tokenizer.model", "");
  put("sft/model/model.safetensors", "");
  put("sae/params.npz", "");
  put("sae/config.json", R"({"type": "sae"})");
  put("data/train.jsonl", "");
  const std::string set = absl::StrCat("sae.path=", folder_, "/sae");
  const std::string words = absl::StrCat(
      "sae.path: SAE ", folder_, "/sae cannot be used: neither the file nor its folder says the ",
      "layer; give sae.layer");
  const Result seen = Run({"validate", path, "--set", set});
  EXPECT_EQ(seen.code, 0) << seen.err;
  EXPECT_EQ(seen.out, absl::StrCat(path, ": valid (train, fpo), but a run would refuse 1 input\n"));
  EXPECT_THAT(seen.err, HasSubstr(words));
  const Result strict = Run({"validate", path, "--set", set, "--strict-files"});
  EXPECT_EQ(strict.code, 3);
  EXPECT_THAT(strict.err, HasSubstr(words));
  EXPECT_THAT(Run({"submit", path, "--set", set, "--dry-run"}).err, HasSubstr(words));
  const Result placed = Run({"validate", path, "--set", set, "--set", "sae.layer=2", "--set",
                             "sae.site=resid_post", "--strict-files"});
  EXPECT_EQ(placed.code, 0) << placed.err;
}

TEST_F(CommandsTest, ValidateNamesEveryProblemWithItsLine) {
  const std::string path = WriteJob();
  const Result good = Run({"validate", path});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.out, absl::StrCat(path,
                                   ": valid (train, fpo), but 3 paths are not on this "
                                   "machine\n"));
  EXPECT_THAT(good.err, HasSubstr(absl::StrCat("warning: ", path, ":3: model.path: there is no ")));
  EXPECT_EQ(Run({"validate", path, "--strict-files"}).code, 3);
  EXPECT_THAT(Run({"validate", path, "--strict-files"}).err, HasSubstr(path + ":4: sae.path: "));
  const json effective = json::parse(Run({"validate", path, "--json"}).out);
  EXPECT_EQ(effective["method"]["alpha"], 0.5);
  EXPECT_EQ(effective["output"], absl::StrCat(folder_, "/runs/fpo"));

  WriteJob(absl::StrCat(kJobText, "colour: red\nepochs: many\n"));
  const Result bad = Run({"validate", path});
  EXPECT_EQ(bad.code, 3);
  EXPECT_THAT(bad.err, HasSubstr(absl::StrCat(path, ":9: ")));
  EXPECT_THAT(bad.err, HasSubstr(absl::StrCat(path, ":10: ")));
  EXPECT_THAT(bad.err, HasSubstr("\nerror: the job is not valid: 2 problems; hint: "));
  const json error = json::parse(Run({"validate", path, "--json"}).err);
  EXPECT_EQ(error["reason"], "INVALID_JOB");
  EXPECT_EQ(error["field"], "colour");
}

TEST_F(CommandsTest, ValidateTakesSeveralFilesAndStandardInput) {
  const std::string path = WriteJob();
  const std::string wrong = folder_ + "/wrong.yaml";
  std::ofstream(wrong) << kJobText << "colour: red\n";
  const Result both = Run({"validate", wrong, folder_ + "/absent.yaml", path});
  EXPECT_EQ(both.code, 3) << "that of the first wrong one";
  EXPECT_THAT(both.err, HasSubstr("wrong.yaml:9: colour"));
  EXPECT_THAT(both.err, HasSubstr("absent.yaml cannot be read"));
  EXPECT_THAT(both.out, HasSubstr(path + ": valid (train, fpo)"));
  std::istringstream text(kJobText);
  std::streambuf* before = std::cin.rdbuf(text.rdbuf());
  const Result piped = Run({"validate", "-", "--json"});
  std::cin.rdbuf(before);
  std::cin.clear();
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_EQ(json::parse(piped.out)["output"],
            (std::filesystem::current_path() / "runs/fpo").string());
}

TEST_F(CommandsTest, KeysThatTheMethodDoesNotUseAreSaid) {
  const std::string path = WriteJob();
  const Result result =
      Run({"validate", path, "--set", "method.name=simpo", "--set", "method.top_k=7"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("warning: method.top_k is set, and method simpo does not use "
                                    "it; it belongs to fpo"));
  const Result sent = Run({"submit", path, "--set", "method.gamma=7"});
  EXPECT_EQ(sent.code, 0) << sent.err;
  EXPECT_THAT(sent.err, HasSubstr("warning: method.gamma is set"));
  EXPECT_THAT(sent.err, HasSubstr("model.path: there is no folder")) << "workers may see it";
}

TEST_F(CommandsTest, PathsAreExpandedWhereTheyAreTyped) {
  environment_.variables = [](const std::string& name) {
    return name == "FPO_TEST_MODELS" ? std::optional<std::string>("/models") : std::nullopt;
  };
  const Result result = Run({"validate", WriteJob(), "--json", "--set",
                             "model.path=$FPO_TEST_MODELS/a", "--set", "data.eval=[x.jsonl]"});
  EXPECT_EQ(json::parse(result.out)["model"]["path"], "/models/a");
  EXPECT_EQ(json::parse(result.out)["data"]["eval"][0], folder_ + "/x.jsonl");
  const Result unset = Run({"submit", WriteJob(), "--set", "model.path=$FPO_TEST_NOWHERE/a"});
  EXPECT_EQ(unset.code, 3);
  EXPECT_THAT(unset.err, HasSubstr("the variable FPO_TEST_NOWHERE is not set"));
}

TEST_F(CommandsTest, JobFilesThatCannotBeRead) {
  const Result absent = Run({"validate", folder_ + "/absent.yaml"});
  EXPECT_EQ(absent.code, 4);
  EXPECT_THAT(absent.err, HasSubstr("absent.yaml cannot be read: No such file"));
  const Result folder = Run({"submit", folder_});
  EXPECT_EQ(folder.code, 2);
  EXPECT_THAT(folder.err, HasSubstr("is a folder, not a job file"));
  EXPECT_EQ(Run({"validate", WriteJob(std::string(300 << 10, '#'))}).code, 3);
}

}  // namespace
}  // namespace fpo::ctl
