#include "tests/train/support/tiny_run.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "common/files/durable_file.h"
#include "common/hash.h"
#include "common/job/method_table.h"
#include "train/collective/single_process_group.h"
#include "train/formats/sae_files.h"
#include "train/formats/safetensors_writer.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

constexpr char kConfig[] = R"({
  "model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"], "vocab_size": 61,
  "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
  "num_key_value_heads": 2, "head_dim": 10, "query_pre_attn_scalar": 7,
  "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
  "sliding_window": 4, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
  "attention_bias": false, "tie_word_embeddings": true, "torch_dtype": "float32"
})";

void Must(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }

}  // namespace

std::vector<TrainEvent> RecordingSink::Of(EventKind kind) const {
  std::vector<TrainEvent> found;
  for (const TrainEvent& event : events) {
    if (event.kind == kind) found.push_back(event);
  }
  return found;
}

std::vector<TokenPair> RandomPairs(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto ids = [&](int64_t low, int64_t high) {
    std::vector<int32_t> out(low + random() % (high - low + 1));
    for (int32_t& id : out) id = static_cast<int32_t>(4 + random() % 57);
    return out;
  };
  std::vector<TokenPair> pairs;
  for (int64_t i = 0; i < count; ++i) {
    TokenPair pair;
    pair.prompt = ids(2, 6);
    pair.prompt.front() = 2;
    pair.chosen = ids(2, 9);
    pair.rejected = ids(2, 9);
    pair.chosen.back() = pair.rejected.back() = 1;
    pair.row = i;
    pairs.push_back(pair);
  }
  return pairs;
}

std::vector<TokenPairView> Views(const std::vector<TokenPair>& pairs) {
  std::vector<TokenPairView> views;
  for (const TokenPair& pair : pairs) {
    views.push_back({pair.prompt, pair.chosen, pair.rejected, pair.row});
  }
  return views;
}

TinyRun::TinyRun() : TinyRun(Options{}) {}

TinyRun::TinyRun(Options options) : root_(fs::temp_directory_path() / ("fpo-tiny-" + RandomId(6))) {
  at::set_num_threads(1);  // on tensors this small, threads only wait for each other
  fs::create_directories(root_ + "/prepared");
  WriteModel("model", 1);
  WriteSae(options.sae_width);
  WriteTokens("train.safetensors", options.pairs, options, 7);
  WriteTokens("eval.safetensors", options.eval_pairs, options, 8);
  Must(WriteFileAtomically(Path("prepared/admission.json"), "{\"train\": {}}\n"));
  Must(WriteFileAtomically(Path("prepared/prepare.json"), "{}\n"));
}

TinyRun::~TinyRun() {
  std::error_code error;
  fs::remove_all(root_, error);
}

void TinyRun::WriteModel(const std::string& name, uint64_t seed) const {
  fs::create_directories(Path(name));
  Must(WriteFileAtomically(Path(name) + "/config.json", kConfig));
  at::Generator generator = at::detail::createCPUGenerator(seed);
  TensorMap weights;
  for (const auto& [tensor, shape] : TensorShapes(TinyForTest())) {
    weights[tensor] = 0.3 * at::randn(shape, generator, at::kFloat);
  }
  Must(WriteSafetensors(Path(name) + "/model.safetensors", weights));
}

void TinyRun::WriteSae(int64_t width) const {
  at::Generator generator = at::detail::createCPUGenerator(3);
  SaeParameters sae;
  sae.w_enc = at::randn({width, 32}, generator, at::kFloat) / std::sqrt(double(width));
  sae.w_dec = sae.w_enc.t().contiguous();
  sae.b_enc = at::zeros({32}, at::kFloat);
  sae.b_dec = at::zeros({width}, at::kFloat);
  sae.threshold = at::full({32}, 0.1, at::kFloat);
  sae.layer = 1;
  sae.site = "resid_post";
  Must(WriteSaeFile(Path("sae"), sae));
}

void TinyRun::WriteTokens(const std::string& file, int64_t pairs, const Options& options,
                          uint64_t seed) const {
  TokenFileWriter writer;
  for (TokenPair& pair : RandomPairs(pairs, seed)) {
    if (!options.rejected || options.labelled) pair.rejected.clear();
    if (options.labelled) pair.label = writer.size() % 3 != 2;
    writer.Add(pair);
  }
  if (options.labelled) Must(writer.AddMismatchedResponses(1024));
  Must(writer.Write(Path("prepared/" + file), {}));
}

JobConfig TinyRun::Job(const std::string& method) const {
  JobConfig job;
  job.name = "tiny";
  job.model = {Path("model"), "float32"};
  job.method.name = method;
  job.method.constraint = ConstraintOf(job.method);
  job.reference.source = DefaultReferenceSource(job.method);
  job.reference.path = job.model.path;
  if (method == "fpo") job.sae = {SaeSection{Path("sae/params.npz"), {}, ""}};
  job.data.train = {Path("train.jsonl")};
  job.method.beta = 2;
  job.method.top_k = 8;
  job.optimizer.lr = 3e-3;
  job.schedule.warmup_steps = 0;
  job.batch.pairs = 4;
  job.max_steps = 3;
  job.checkpoint.every_steps = 2;
  job.evaluate.every_steps = 2;
  job.output = Path("out");
  return job;
}

RunOptions TinyRun::Run(const std::string& out) const {
  RunOptions options;
  options.out = Path(out);
  options.prepared = Path("prepared");
  options.version = "test";
  return options;
}

absl::Status TrainOnce(const JobConfig& job, const RunOptions& options, RecordingSink* events) {
  RecordingSink own;
  SingleProcessGroup group;
  return RunTraining(job, options, {events != nullptr ? *events : own, nullptr, group});
}

std::vector<MetricLine> ReadMetrics(const std::string& out, bool evaluations) {
  std::istringstream lines(Slurp(out + "/metrics.jsonl"));
  std::vector<MetricLine> found;
  for (std::string text; std::getline(lines, text);) {
    MetricLine line;
    const auto json = nlohmann::json::parse(text);
    for (const auto& [name, value] : json.items()) {
      if (value.is_number()) line[name] = value.get<double>();
    }
    if ((line.count("eval_loss") != 0) == evaluations) found.push_back(line);
  }
  return found;
}

std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

}  // namespace fpo::train
