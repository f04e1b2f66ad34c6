#include "train/runs/run_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <ATen/ATen.h>

#include "common/files/durable_file.h"
#include "tests/train/support/float64_run.h"
#include "tests/train/support/tiny_run.h"
#include "train/collective/single_process_group.h"
#include "train/device/device_name.h"
#include "train/events/exit_status.h"
#include "train/formats/safetensors_writer.h"
#include "train/loop/dtype_advice.h"
#include "train/loop/model_loader.h"
#include "train/runs/run_record.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(RunTraining, LeavesEveryPromisedFile) {
  const TinyRun tiny;
  RecordingSink events;
  const absl::Status status = TrainOnce(tiny.Job("fpo"), tiny.Run("out"), &events);
  ASSERT_TRUE(status.ok()) << status;
  for (const char* name :
       {"job.yaml", "run.json", "admission.json", "metrics.jsonl", "report.html", "reference.fpr",
        "checkpoints/step-2/manifest.json", "model/config.json", "model/model.safetensors"}) {
    EXPECT_TRUE(fs::exists(tiny.Path("out/") + name)) << name;
  }
  const auto lines = ReadMetrics(tiny.Path("out"));
  ASSERT_EQ(lines.size(), 3u);
  for (const char* name : {"step",
                           "epoch",
                           "loss",
                           "lr",
                           "grad_norm",
                           "rewards/chosen",
                           "rewards/rejected",
                           "rewards/margins",
                           "rewards/accuracies",
                           "rewards/ties",
                           "logps/chosen",
                           "logps/rejected",
                           "divergence/chosen",
                           "divergence/rejected",
                           "entropy",
                           "tokens",
                           "pairs",
                           "step_seconds",
                           "cache_wait_seconds",
                           "memory_peak_bytes",
                           "tokens_per_microbatch",
                           "gemm_fraction"}) {
    EXPECT_EQ(lines[0].count(name), 1u) << name;
  }
  EXPECT_EQ(lines[0].count("mfu"), 0u) << "a CPU has no data sheet";
  const auto evaluations = ReadMetrics(tiny.Path("out"), true);
  ASSERT_EQ(evaluations.size(), 3u);  // steps 0, 2 and 3
  EXPECT_EQ(evaluations[0].count("eval_logps/accuracies"), 1u);
  EXPECT_EQ(evaluations[0].count("eval_divergence/relative"), 1u);
  ASSERT_EQ(events.Of(EventKind::kResult).size(), 1u);
  EXPECT_EQ(events.Of(EventKind::kResult)[0].metrics.count("eval_rewards/accuracies"), 1u);
  EXPECT_EQ(events.Of(EventKind::kResult)[0].texts.at("device_name"), DeviceName(at::kCPU));
  EXPECT_EQ(events.Of(EventKind::kStep).size(), 3u);
}

// The data of this job does not exist: what is wrong with the model is said before it is opened.
TEST(RunTraining, WeightsThatCannotBeReadAreNamedBeforeTheData) {
  const TinyRun tiny;
  RunOptions options = tiny.Run("out");
  options.prepared.clear();
  EXPECT_THAT(TrainOnce(tiny.Job("dpo"), options).message(), HasSubstr("train.jsonl"));
  const auto model = LoadModel({tiny.Path("model"), "float32"});
  ASSERT_TRUE(model.ok()) << model.status();
  TensorMap tensors;
  for (const auto& [name, tensor] : model->model.Parameters()) tensors[name] = tensor.to(at::kChar);
  ASSERT_TRUE(WriteSafetensors(tiny.Path("model/model.safetensors"), tensors).ok());
  EXPECT_THAT(TrainOnce(tiny.Job("dpo"), options).message(), HasSubstr("full precision"));
  fs::rename(tiny.Path("model/model.safetensors"), tiny.Path("model/pytorch_model.bin"));
  EXPECT_THAT(TrainOnce(tiny.Job("dpo"), options).message(), HasSubstr("pickle"));
}

// A vision tower beside the text model is left out; that too is said first, and once.
TEST(RunTraining, WeightsThatAreLeftOutAreNamedBeforeTheData) {
  const TinyRun tiny;
  RunOptions options = tiny.Run("out");
  options.prepared.clear();
  ASSERT_TRUE(
      WriteSafetensors(tiny.Path("model/model.fp16.safetensors"), {{"x", at::ones({1})}}).ok());
  RecordingSink events;
  EXPECT_FALSE(TrainOnce(tiny.Job("dpo"), options, &events).ok());
  ASSERT_EQ(events.Of(EventKind::kWarning).size(), 1u);
  EXPECT_THAT(events.Of(EventKind::kWarning)[0].message, HasSubstr("model.fp16.safetensors"));
}

TEST(RunTraining, AMeasuredRunTimesItsPartsAndExportsNoModel) {
  const TinyRun tiny;
  SingleProcessGroup alone;
  RecordingSink events;
  const absl::Status status =
      RunTraining(tiny.Job("simpo"), tiny.Run("out"), {events, nullptr, alone, true});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(fs::exists(tiny.Path("out/model")));
  for (const auto& line : ReadMetrics(tiny.Path("out"))) {
    double parts = 0;
    for (const char* part :
         {"forward_seconds", "backward_seconds", "ranks_seconds", "update_seconds"}) {
      ASSERT_EQ(line.count(part), 1u) << part;
      parts += line.at(part);
    }
    EXPECT_LE(parts, line.at("step_seconds"));
  }
}

TEST(RunTraining, EveryMethodTakesAStepAndTheLossFalls) {
  for (const char* method : {"dpo", "ln_dpo", "simpo", "simpo_kl", "tdpo1", "tdpo2", "fpo"}) {
    const TinyRun tiny;
    JobConfig job = tiny.Job(method);
    job.max_steps = 12;
    job.epochs = 4;
    job.evaluate.every_steps = 0;
    const absl::Status status = TrainOnce(job, tiny.Run("out"));
    ASSERT_TRUE(status.ok()) << method << ": " << status;
    const auto lines = ReadMetrics(tiny.Path("out"));
    EXPECT_LT(lines.back().at("loss"), 0.8 * lines.front().at("loss")) << method;
  }
}

TEST(RunTraining, AConstraintThatDrownsThePreferenceIsSaidOnce) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.data.eval = {tiny.Path("eval.jsonl")};
  RecordingSink quiet, loud;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("quiet"), &quiet).ok());
  const auto drowned = [](const RecordingSink& events) {
    int count = 0;
    for (const TrainEvent& event : events.Of(EventKind::kWarning)) {
      count += event.message.find("the constraint outweighs the preference") == 0 ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(drowned(quiet), 0);
  job.method.alpha = 1e4;
  job.max_steps = 4;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("loud"), &loud).ok());
  EXPECT_EQ(drowned(loud), 1);
}

// Defaults know no data: 150 steps of warm-up can be more than a short run has.
TEST(RunTraining, AWarmUpLongerThanTheRunIsSaid) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("simpo");
  job.data.eval = {tiny.Path("eval.jsonl")};
  job.max_steps.reset();
  job.schedule.warmup_steps = 150;
  RecordingSink events;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("out"), &events).ok());
  ASSERT_EQ(events.Of(EventKind::kWarning).size(), 1u);
  EXPECT_NE(events.Of(EventKind::kWarning)[0].message.find("warmup_steps: 150"), std::string::npos);
}

TEST(RunTraining, SftLearnsItsData) {
  TinyRun::Options options;
  options.rejected = false;
  const TinyRun tiny(options);
  JobConfig job = tiny.Job("sft");
  job.max_steps = 12;
  job.epochs = 4;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("out")).ok());
  const auto lines = ReadMetrics(tiny.Path("out"));
  EXPECT_LT(lines.back().at("loss"), 0.8 * lines.front().at("loss"));
  EXPECT_FALSE(fs::exists(tiny.Path("out/reference.fpr")));
}

// With the policy equal to the reference everything is known.
TEST(RunTraining, FirstStepIsLnTwoWithZeroRewards) {
  for (const char* method : {"dpo", "ln_dpo", "tdpo1", "tdpo2", "fpo"}) {
    const TinyRun tiny;
    ASSERT_TRUE(TrainOnce(tiny.Job(method), tiny.Run("out")).ok());
    const auto line = ReadMetrics(tiny.Path("out")).front();
    EXPECT_NEAR(line.at("loss"), std::log(2.0), 1e-5) << method;
    EXPECT_NEAR(line.at("rewards/chosen"), 0, 1e-4) << method;
    EXPECT_NEAR(line.at("rewards/rejected"), 0, 1e-4) << method;
  }
}

TEST(RunTraining, FpoWithoutAlphaIsLnDpo) {
  const TinyRun tiny;
  JobConfig fpo = tiny.Job("fpo");
  fpo.method.alpha = 0;
  ASSERT_TRUE(TrainOnce(fpo, tiny.Run("fpo")).ok());
  ASSERT_TRUE(TrainOnce(tiny.Job("ln_dpo"), tiny.Run("ln")).ok());
  EXPECT_EQ(Slurp(tiny.Path("fpo/model/model.safetensors")),
            Slurp(tiny.Path("ln/model/model.safetensors")));
  EXPECT_EQ(ReadMetrics(tiny.Path("fpo")).back().count("divergence/chosen"), 1u);
  EXPECT_EQ(ReadMetrics(tiny.Path("ln")).back().count("divergence/chosen"), 0u);
}

TEST(RunTraining, ARunThatFailsLeavesTheReportOfItsSteps) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.max_steps = 5;
  job.epochs = 2;
  job.optimizer.lr = 1e30;
  job.schedule.warmup_steps = 0;
  EXPECT_FALSE(TrainOnce(job, tiny.Run("wild")).ok());
  EXPECT_THAT(Slurp(tiny.Path("wild/report.html")), HasSubstr("1 of 5 steps, not finished"));
}

TEST(RunTraining, ResumeIsBitwise) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.max_steps = 5;
  job.epochs = 2;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("whole")).ok());

  JobConfig first = job;
  first.max_steps = 2;  // ends with the checkpoint of step 2
  RunOptions parts = tiny.Run("parts");
  // A run of two steps would compute its records in other batches than one of five, and batches
  // agree to rounding only.
  parts.reference = tiny.Path("whole/reference.fpr");
  ASSERT_TRUE(TrainOnce(first, parts).ok());
  parts.resume = true;
  fs::remove_all(tiny.Path("parts/model"));
  fs::remove(tiny.Path("parts/run.json"));
  RecordingSink events;
  const absl::Status status = TrainOnce(job, parts, &events);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(events.Of(EventKind::kStep).size(), 3u);
  EXPECT_EQ(Slurp(tiny.Path("whole/model/model.safetensors")),
            Slurp(tiny.Path("parts/model/model.safetensors")));
  const auto whole = ReadMetrics(tiny.Path("whole"));
  const auto resumed = ReadMetrics(tiny.Path("parts"));
  ASSERT_EQ(whole.size(), resumed.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(whole[i].at("loss"), resumed[i].at("loss")) << i;
    EXPECT_EQ(whole[i].at("grad_norm"), resumed[i].at("grad_norm")) << i;
  }
}

// Records are float32: to its rounding, a few 1e-7, of which Adam makes no more when lr / eps = 1.
TEST(RunTraining, OnlineReferenceEqualsRecords) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.optimizer.eps = job.optimizer.lr;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("records")).ok());
  RunOptions online = tiny.Run("online");
  online.reference = "online";
  ASSERT_TRUE(TrainOnce(job, online).ok());
  const auto a = ReadMetrics(tiny.Path("records"));
  const auto b = ReadMetrics(tiny.Path("online"));
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].at("loss"), b[i].at("loss"), 1e-5);
    EXPECT_NEAR(a[i].at("divergence/rejected"), b[i].at("divergence/rejected"), 1e-5);
  }
  EXPECT_FALSE(fs::exists(tiny.Path("online/reference.fpr")));
}

TEST(RunTraining, MicroBatchesDoNotChangeTheSteps) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.batch.pairs = 12;
  job.epochs = job.max_steps.value();
  job.optimizer.eps = job.optimizer.lr;  // no weight moves by more than its gradient is off
  const Trajectory whole = TrainInFloat64(tiny, job);
  ASSERT_EQ(whole.metrics.size(), 3 * 7 + 3u);
  for (const int64_t tokens : {130, 60, 1}) {
    job.batch.tokens_per_microbatch = tokens;
    const Distance distance = Between(TrainInFloat64(tiny, job), whole);
    EXPECT_LT(distance.metrics, 1e-12) << tokens;
    EXPECT_LT(distance.weights, 1e-12) << tokens;
  }
}

TEST(RunTraining, RecordsOfAnotherModelAreRefused) {
  const TinyRun tiny;
  ASSERT_TRUE(TrainOnce(tiny.Job("dpo"), tiny.Run("first")).ok());
  tiny.WriteModel("other", 99);
  JobConfig job = tiny.Job("dpo");
  job.model.path = job.reference.path = tiny.Path("other");
  RunOptions options = tiny.Run("second");
  options.reference = tiny.Path("first/reference.fpr");
  const absl::Status status = TrainOnce(job, options);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kForeignCache) << status;
  EXPECT_FALSE(fs::exists(tiny.Path("second/job.yaml")));
}

TEST(RunTraining, FeatureRecordsServeDpo) {
  const TinyRun tiny;
  ASSERT_TRUE(TrainOnce(tiny.Job("fpo"), tiny.Run("first")).ok());
  RunOptions options = tiny.Run("second");
  options.reference = tiny.Path("first/reference.fpr");
  const absl::Status status = TrainOnce(tiny.Job("dpo"), options);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(RunTraining, KlMethodsReportTheKlAndRefuseRecords) {
  const TinyRun tiny;
  ASSERT_TRUE(TrainOnce(tiny.Job("tdpo2"), tiny.Run("out")).ok());
  const auto first = ReadMetrics(tiny.Path("out")).front();
  EXPECT_EQ(first.at("divergence/rejected"), 0);  // the policy is the reference
  const auto last = ReadMetrics(tiny.Path("out")).back();
  EXPECT_GT(last.at("divergence/rejected"), 0);
  EXPECT_EQ(last.at("divergence/rejected"), last.at("kl/rejected"));
  EXPECT_EQ(last.count("divergence/relative"), 0u);
  const auto evaluation = ReadMetrics(tiny.Path("out"), true).back();
  for (const char* name : {"eval_kl/chosen", "eval_kl/rejected", "eval_kl/margin",
                           "eval_kl/chosen_per_token", "eval_entropy_top100"}) {
    EXPECT_EQ(evaluation.count(name), 1u) << name;
  }
  ASSERT_TRUE(TrainOnce(tiny.Job("dpo"), tiny.Run("dpo")).ok());
  RunOptions options = tiny.Run("records");
  options.reference = tiny.Path("dpo/reference.fpr");
  EXPECT_EQ(ExitCodeOf(TrainOnce(tiny.Job("tdpo2"), options)), ExitCode::kInvalid);
}

TEST(RunTraining, AnOnlineReferenceMeasuresTheKlOfEveryMethod) {
  const TinyRun tiny;
  for (const char* method : {"dpo", "simpo", "fpo"}) {
    JobConfig job = tiny.Job(method);
    job.reference = {"online", job.model.path};
    const absl::Status status = TrainOnce(job, tiny.Run(method));
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(ReadMetrics(tiny.Path(method)).back().count("kl/chosen"), 0u) << method;
    EXPECT_GT(ReadMetrics(tiny.Path(method), true).back().at("eval_kl/chosen"), 0) << method;
  }
}

TEST(RunTraining, HiddenVectorsInsteadOfAnSae) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.sae = {SaeSection{"", 1, "mlp_out"}};
  job.method.features = "hidden";
  job.optimizer.eps = job.optimizer.lr;
  const absl::Status status = TrainOnce(job, tiny.Run("cached"));
  ASSERT_TRUE(status.ok()) << status;
  job.reference.source = "online";
  ASSERT_TRUE(TrainOnce(job, tiny.Run("online")).ok());
  const auto cached = ReadMetrics(tiny.Path("cached")), online = ReadMetrics(tiny.Path("online"));
  EXPECT_NEAR(cached.front().at("loss"), std::log(2.0), 1e-5);
  EXPECT_GT(cached.back().at("divergence/rejected"), 0);
  for (size_t i = 0; i < cached.size(); ++i) {
    EXPECT_NEAR(cached[i].at("loss"), online[i].at("loss"), 1e-5);
  }
}

TEST(RunTraining, SeveralSaesAddTheirDistances) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.method.alpha = 0;  // the same weights whatever the distance
  ASSERT_TRUE(TrainOnce(job, tiny.Run("one")).ok());
  job.sae.push_back(job.sae[0]);
  const absl::Status status = TrainOnce(job, tiny.Run("two"));
  ASSERT_TRUE(status.ok()) << status;
  const auto one = ReadMetrics(tiny.Path("one")).back(), two = ReadMetrics(tiny.Path("two")).back();
  EXPECT_GT(one.at("divergence/rejected"), 0);
  EXPECT_NEAR(two.at("divergence/rejected"), 2 * one.at("divergence/rejected"), 1e-9);
  EXPECT_NEAR(two.at("divergence/relative"), one.at("divergence/relative"), 1e-9);
}

TEST(RunTraining, FeatureWeightsAreReadAndHold) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  ASSERT_TRUE(TrainOnce(job, tiny.Run("plain")).ok());
  std::string zeros;
  for (int i = 0; i < 32; ++i) zeros += std::to_string(i) + " 0\n";
  job.method.feature_weights = tiny.Path("weights.txt");
  ASSERT_TRUE(WriteFileAtomically(job.method.feature_weights, zeros).ok());
  RunOptions options = tiny.Run("free");
  options.reference = tiny.Path("plain/reference.fpr");  // weights are no part of a record
  const absl::Status status = TrainOnce(job, options);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(ReadMetrics(tiny.Path("free")).back().at("divergence/rejected"), 0);
  EXPECT_GT(ReadMetrics(tiny.Path("plain")).back().at("divergence/rejected"), 0);
  ASSERT_TRUE(WriteFileAtomically(job.method.feature_weights, "32 1\n").ok());
  EXPECT_EQ(ExitCodeOf(TrainOnce(job, tiny.Run("bad"))), ExitCode::kInvalid);
}

TEST(RunTraining, TheReferenceIsComputedOfWhatIsRead) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.max_steps = 1;  // 4 of 12 pairs
  job.evaluate.pairs = 2;
  RunOptions options = tiny.Run("out");
  const auto computed = [&](const JobConfig& asked) {
    RecordingSink events;
    const absl::Status status = TrainOnce(asked, options, &events);
    EXPECT_TRUE(status.ok()) << status;
    const auto results = events.Of(EventKind::kResult);
    return results.empty() ? -1 : results[0].metrics.at("reference_records_computed");
  };
  EXPECT_EQ(computed(job), 2 * (4 + 2));
  // More steps, more pairs: what is missing then.
  options.resume = true;
  job.max_steps = 2;
  EXPECT_EQ(computed(job), 2 * 4);
  job.max_steps = 3;
  job.evaluate.pairs = 4;
  EXPECT_EQ(computed(job), 2 * (4 + 2));
  EXPECT_EQ(ReadMetrics(tiny.Path("out")).size(), 3u);
  // The numbers of a run in one go, but for the rounding of records that were computed in other
  // batches.
  ASSERT_TRUE(TrainOnce(job, tiny.Run("whole")).ok());
  const auto parts = ReadMetrics(tiny.Path("out")), whole = ReadMetrics(tiny.Path("whole"));
  ASSERT_EQ(parts.size(), whole.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(parts[i].at("loss"), whole[i].at("loss"), 1e-5) << i;
  }
}

TEST(RunTraining, RecordsOfFewerStepsAreRefusedBeforeTheFirst) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("dpo");
  job.max_steps = 1;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("first")).ok());
  RunOptions options = tiny.Run("second");
  options.reference = tiny.Path("first/reference.fpr");
  ASSERT_TRUE(TrainOnce(job, options).ok());
  job.max_steps = 3;
  options.out = tiny.Path("third");
  RecordingSink events;
  const absl::Status status = TrainOnce(job, options, &events);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
  EXPECT_NE(status.message().find("lacks 16 of the 34 records"), absl::string_view::npos) << status;
  EXPECT_TRUE(events.Of(EventKind::kStep).empty());
}

TEST(RunTraining, AFinishedRunGoesOnWhenMoreStepsAreAsked) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("dpo");
  ASSERT_TRUE(TrainOnce(job, tiny.Run("out")).ok());
  RunOptions options = tiny.Run("out");
  options.resume = true;
  job.epochs = 2;
  job.max_steps = 5;
  RecordingSink events;
  ASSERT_TRUE(TrainOnce(job, options, &events).ok());
  EXPECT_EQ(ReadMetrics(tiny.Path("out")).size(), 5u);
  EXPECT_EQ(events.Of(EventKind::kStep).back().step, 5);
}

TEST(RunTraining, FinishedRunIsDoneAtOnceAndSaysSo) {
  const TinyRun tiny;
  RunOptions options = tiny.Run("out");
  ASSERT_TRUE(TrainOnce(tiny.Job("dpo"), options).ok());
  EXPECT_EQ(ExitCodeOf(TrainOnce(tiny.Job("dpo"), options)), ExitCode::kInvalid);
  options.resume = true;
  RecordingSink events;
  ASSERT_TRUE(TrainOnce(tiny.Job("dpo"), options, &events).ok());
  EXPECT_TRUE(events.Of(EventKind::kStep).empty());
  ASSERT_EQ(events.Of(EventKind::kPhase).size(), 1u);
  EXPECT_EQ(
      events.Of(EventKind::kPhase)[0].message.find("nothing was trained: " + tiny.Path("out")), 0u);
  EXPECT_NE(events.Of(EventKind::kPhase)[0].message.find("finished 20"), std::string::npos);
  ASSERT_EQ(events.Of(EventKind::kResult).size(), 1u);
  EXPECT_EQ(events.Of(EventKind::kResult)[0].metrics.count("eval_loss"), 1u);
}

TEST(RunTraining, EveryOptionPathRuns) {
  const TinyRun tiny;
  int64_t index = 0;
  for (const char* selection : {"union", "reference", "policy"}) {
    for (const bool stop_gradient : {true, false}) {
      for (const double smoothing : {0.0, 0.1}) {
        JobConfig job = tiny.Job("fpo");
        job.method.feature_selection = selection;
        job.method.stop_gradient = stop_gradient;
        job.method.label_smoothing = smoothing;
        job.max_steps = 1;
        job.checkpoint.every_steps = 100;
        const absl::Status status = TrainOnce(job, tiny.Run("out" + std::to_string(index++)));
        EXPECT_TRUE(status.ok()) << selection << stop_gradient << smoothing << ": " << status;
      }
    }
  }
}

// A CPU without instructions for bfloat16 takes many times as long (fpo_test_on_processors): said
// with the number, before anything is computed.
TEST(RunTraining, SlowBfloat16IsSaidBeforeTheFirstStep) {
  double factor = 1e9;
  for (int i = 0; i < 3; ++i) {
    const ProductSeconds products = MeasureProducts();
    factor = std::min(factor, products.bfloat16 / products.float32);
  }
  if (factor < 2.5) GTEST_SKIP() << "bfloat16 is not slow here: " << factor;
  const TinyRun tiny;
  JobConfig job = tiny.Job("simpo");
  job.model.dtype = "bfloat16";
  job.max_steps = 1;
  RecordingSink events;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("out"), &events).ok());
  const auto says = [](const TrainEvent& event) {
    return event.kind == EventKind::kWarning && event.message.find("bfloat16 is slow") == 0 &&
           event.message.find(" times as long as in float32") != std::string::npos;
  };
  const auto steps = [](const TrainEvent& event) { return event.kind == EventKind::kStep; };
  const auto begin = events.events.begin(), end = events.events.end();
  const auto said = std::find_if(begin, end, says);
  ASSERT_NE(said, end);
  EXPECT_LT(said, std::find_if(begin, end, steps));
}

TEST(RunTraining, BFloat16AndActivationCheckpointing) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.model.dtype = "bfloat16";
  job.activation_checkpointing = true;
  const absl::Status status = TrainOnce(job, tiny.Run("out"));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_NEAR(ReadMetrics(tiny.Path("out")).front().at("loss"), std::log(2.0), 0.05);
}

TEST(RunTraining, OptimisersAndSchedules) {
  const TinyRun tiny;
  for (const char* optimizer : {"adam", "adamw", "rmsprop"}) {
    JobConfig job = tiny.Job("dpo");
    job.optimizer.name = optimizer;
    job.schedule = {"cosine", 1};
    EXPECT_TRUE(TrainOnce(job, tiny.Run(optimizer)).ok()) << optimizer;
  }
}

}  // namespace
}  // namespace fpo::train
