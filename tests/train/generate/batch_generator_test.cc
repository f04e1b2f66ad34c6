#include "train/generate/batch_generator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/golden/golden_case.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

// Requests in a list, answers by index.
class ListQueue : public AnswerQueue {
 public:
  std::optional<AnswerRequest> Next() override {
    if (next_ == requests.size()) return std::nullopt;
    return std::move(requests[next_++]);
  }
  void OnToken(int64_t index, int32_t id) override { seen[index].push_back(id); }
  absl::StatusOr<std::optional<AnswerRequest>> Done(GeneratedAnswer answer) override {
    stopped[answer.index] = answer.stopped;
    ids[answer.index] = answer.ids;
    order.push_back(answer.index);
    return std::optional<AnswerRequest>();
  }

  std::vector<AnswerRequest> requests;
  std::map<int64_t, std::vector<int32_t>> ids, seen;
  std::map<int64_t, bool> stopped;
  std::vector<int64_t> order;

 private:
  size_t next_ = 0;
};

Gemma Model(Architecture architecture = Architecture::kGemma2) {
  Gemma model = Gemma::Random(TinyForTest(architecture), 11, at::kFloat);
  for (const auto& [name, tensor] : model.Parameters()) tensor.mul_(6);
  return model;
}

std::vector<AnswerRequest> Requests(int64_t count, double temperature) {
  std::vector<AnswerRequest> requests;
  for (int64_t i = 0; i < count; ++i) {
    AnswerRequest request;
    request.index = i;
    request.prompt = {2};
    for (int64_t j = 0; j < i * 5 % 23; ++j) {
      request.prompt.push_back(static_cast<int32_t>(3 + (i * 11 + j * 7) % 50));
    }
    request.stops = {9, 1, 30};
    request.max_new_tokens = 1 + i * 3 % 20;
    request.sampling.temperature = temperature;
    request.random = AnswerRandom(42, static_cast<uint64_t>(i));
    requests.push_back(std::move(request));
  }
  return requests;
}

std::map<int64_t, std::vector<int32_t>> Generate(const BatchOptions& options, double temperature,
                                                 Architecture architecture) {
  const Gemma model = Model(architecture);
  const std::unique_ptr<Decoder> decoder = Decoder::Create(model, {});
  ListQueue queue;
  queue.requests = Requests(17, temperature);
  const absl::Status status = GenerateAnswers(*decoder, options, queue);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(queue.ids, [&] {  // OnToken hears what Done gets
    for (const auto& [index, ids] : queue.ids) queue.seen.try_emplace(index);
    return queue.seen;
  }());
  return queue.ids;
}

TEST(BatchGenerator, AnAnswerDoesNotDependOnItsBatchMates) {
  for (const Architecture architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    for (const double temperature : {0.0, 1.3}) {
      const auto alone = Generate({1, 64, 0}, temperature, architecture);
      ASSERT_EQ(alone.size(), 17u);
      EXPECT_EQ(Generate({2, 64, 0}, temperature, architecture), alone);
      EXPECT_EQ(Generate({5, 3, 0}, temperature, architecture), alone);  // prompts read in parts
      EXPECT_EQ(Generate({17, 128, 0}, temperature, architecture), alone);
      EXPECT_EQ(Generate({64, 1, 0}, temperature, architecture), alone);
    }
  }
}

TEST(BatchGenerator, EndsAtAStopOrAtTheLimit) {
  const std::unique_ptr<Decoder> decoder = Decoder::Create(Model(), {});
  ListQueue queue;
  queue.requests = Requests(30, 1.5);
  ASSERT_TRUE(GenerateAnswers(*decoder, {}, queue).ok());
  int stopped = 0;
  for (const auto& [index, ids] : queue.ids) {
    const int64_t limit = 1 + index * 3 % 20;
    for (const int32_t id : ids) EXPECT_TRUE(id != 9 && id != 1 && id != 30);
    if (queue.stopped[index]) {
      ++stopped;
      EXPECT_LT(static_cast<int64_t>(ids.size()), limit);
    } else {
      EXPECT_EQ(static_cast<int64_t>(ids.size()), limit);
    }
  }
  EXPECT_GT(stopped, 0);
  EXPECT_LT(stopped, 30);
}

TEST(BatchGenerator, AShortAnswerLeavesBeforeALongOne) {
  const std::unique_ptr<Decoder> decoder = Decoder::Create(Model(), {});
  ListQueue queue;
  queue.requests = Requests(3, 0);
  for (AnswerRequest& request : queue.requests) request.stops.clear();
  queue.requests[0].max_new_tokens = 9;
  queue.requests[1].max_new_tokens = 2;
  queue.requests[2].max_new_tokens = 3;
  ASSERT_TRUE(GenerateAnswers(*decoder, {2, 64, 0}, queue).ok());
  EXPECT_EQ(queue.order, (std::vector<int64_t>{1, 2, 0}));
}

TEST(BatchGenerator, IdsOutsideTheTokenizerAreNeverChosen) {
  const std::unique_ptr<Decoder> decoder = Decoder::Create(Model(), {});
  ListQueue queue;
  queue.requests = Requests(9, 2.0);
  ASSERT_TRUE(GenerateAnswers(*decoder, {4, 64, 12}, queue).ok());
  for (const auto& [index, ids] : queue.ids) {
    for (const int32_t id : ids) EXPECT_LT(id, 12);
  }
}

TEST(BatchGenerator, LogitsThatAreNotFiniteAreAnError) {
  const Gemma model = Model();
  model.Parameters().back().second.fill_(std::numeric_limits<float>::infinity());
  const std::unique_ptr<Decoder> decoder = Decoder::Create(model, {});
  ListQueue queue;
  queue.requests = Requests(1, 0);
  EXPECT_EQ(ExitCodeOf(GenerateAnswers(*decoder, {}, queue)), ExitCode::kNotFinite);
}

// Continues a first answer with a second question, as mt_bench does.
class TwoTurns final : public ListQueue {
 public:
  absl::StatusOr<std::optional<AnswerRequest>> Done(GeneratedAnswer answer) override {
    if (!second.empty() || !keep) return ListQueue::Done(std::move(answer));
    AnswerRequest next = std::move(Requests(1, 0)[0]);
    next.prompt = {2};
    next.prompt.insert(next.prompt.end(), answer.ids.begin(), answer.ids.end());
    next.prompt.push_back(17);
    second = next.prompt;
    next.max_new_tokens = 7;
    next.sequence = std::move(answer.sequence);
    return std::optional<AnswerRequest>(std::move(next));
  }
  bool keep = true;
  std::vector<int32_t> second;
};

TEST(BatchGenerator, AKeptSequenceChangesNothing) {
  const std::unique_ptr<Decoder> decoder = Decoder::Create(Model(), {});
  TwoTurns queue;
  queue.requests = Requests(1, 0);
  queue.requests[0].max_new_tokens = 12;
  ASSERT_TRUE(GenerateAnswers(*decoder, {}, queue).ok());
  TwoTurns fresh;
  fresh.keep = false;
  fresh.requests = Requests(1, 0);
  fresh.requests[0].prompt = queue.second;
  fresh.requests[0].max_new_tokens = 7;
  ASSERT_TRUE(GenerateAnswers(*decoder, {}, fresh).ok());
  EXPECT_EQ(queue.ids[0], fresh.ids[0]);
}

// What transformers generates (tests/golden/make_generate_goldens.py): at every token the most
// likely one that did not occur before.
TEST(GenerateGolden, TokensAreThoseOfTransformers) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  std::ifstream file(std::string(root == nullptr ? "." : root) + "/tests/golden/generated.jsonl");
  int rows = 0;
  for (std::string line; std::getline(file, line); ++rows) {
    const auto row = nlohmann::json::parse(line);
    const std::vector<int32_t> prompt = row.at("prompt"), expected = row.at("tokens");
    const GoldenCase golden(row.at("architecture"), at::kCPU);
    for (const bool tensors : {false, true}) {
      Decoder::Options options;
      options.use_tensors = tensors;
      const std::unique_ptr<Decoder> decoder = Decoder::Create(golden.MakeModel(), options);
      CachedSequence sequence = decoder->NewSequence({64, 16});
      std::vector<int32_t> ids = prompt, generated;
      for (size_t read = 0; generated.size() < expected.size();) {
        const at::Tensor logits =
            decoder->Step({{{&sequence, absl::MakeConstSpan(ids).subspan(read), true}}})[0];
        read = ids.size();
        for (const int32_t id : ids) logits[id] = -std::numeric_limits<float>::infinity();
        generated.push_back(logits.argmax().item<int32_t>());
        ids.push_back(generated.back());
      }
      EXPECT_EQ(generated, expected) << line;
    }
  }
  EXPECT_EQ(rows, 16);
}

}  // namespace
}  // namespace fpo::train
