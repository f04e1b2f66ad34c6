#include "train/plan/plan_batches.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "train/data/context_id.h"
#include "train/objective/objective.h"

namespace fpo::train {
namespace {

void Keep(const BatchSizes& batch, size_t most, int64_t (*size)(const BatchSizes&),
          std::vector<BatchSizes>* kept) {
  const auto larger = [size](const BatchSizes& a, const BatchSizes& b) {
    return size(a) > size(b);
  };
  if (kept->size() == most && size(kept->back()) >= size(batch)) return;
  kept->insert(std::upper_bound(kept->begin(), kept->end(), batch, larger), batch);
  if (kept->size() > most) kept->pop_back();
}

void Count(const BatchSizes& batch, const BatchRules& rules, BatchesOfWork* work) {
  ++work->micro_batches;
  work->tokens += batch.rows;
  work->flops += ForwardFlopsOf(rules.config, batch);
}

int64_t SidesOf(Responses responses) { return responses == Responses::kBoth ? 2 : 1; }

}  // namespace

BatchSizes SizesOf(const std::vector<Sequence>& sequences, bool packed, int64_t sides) {
  BatchSizes sizes;
  sizes.sequences = static_cast<int64_t>(sequences.size());
  absl::flat_hash_map<absl::Span<const int32_t>, bool> prompts;
  for (const Sequence& sequence : sequences) {
    sizes.longest = std::max(sizes.longest, sequence.length());
    const auto response = static_cast<int64_t>(sequence.response.size());
    const auto prompt = static_cast<int64_t>(sequence.prompt.size());
    sizes.rows += response;
    sizes.kept_rows += response;
    sizes.seen_rows += prompt + response;
    if (!prompts.emplace(sequence.prompt, true).second) continue;
    sizes.rows += prompt;
    sizes.kept_rows += 1;
  }
  if (!packed) {
    sizes.rows = sizes.kept_rows = sizes.seen_rows = sizes.sequences * sizes.longest;
  }
  const auto units = sequences.size() / static_cast<size_t>(sides);
  for (size_t unit = 0; unit < units; ++unit) {
    int64_t rows = 0;
    for (size_t side = 0; side < static_cast<size_t>(sides); ++side) {
      rows += ScoredTokens(sequences[side * units + unit].response);
    }
    sizes.unit_rows.push_back(rows);
  }
  return sizes;
}

std::vector<Sequence> SequencesOf(const TokenFile& pairs, const std::vector<int64_t>& batch,
                                  Responses responses) {
  std::vector<TokenPairView> views;
  for (const int64_t index : batch) views.push_back(pairs.pair(index));
  if (responses == Responses::kBoth) return BothSides(views);
  std::vector<Sequence> sequences;
  for (const TokenPairView& pair : views) sequences.push_back({pair.prompt, pair.chosen});
  return sequences;
}

void FullestBatches::Add(const BatchSizes& batch) {
  Keep(
      batch, kKept, [](const BatchSizes& b) { return b.rows; }, &by_rows_);
  Keep(
      batch, kKept, [](const BatchSizes& b) { return b.scored_rows(); }, &by_scored_);
}

void FullestBatches::Add(const FullestBatches& more) {
  for (const BatchSizes& batch : more.by_rows_) Add(batch);
  for (const BatchSizes& batch : more.by_scored_) Add(batch);
}

void BatchesOfWork::Add(const BatchesOfWork& more) {
  first.Add(more.first);
  later.Add(more.later);
  micro_batches += more.micro_batches;
  tokens += more.tokens;
  flops += more.flops;
}

std::vector<BatchSizes> FullestBatches::Take() const {
  std::vector<BatchSizes> all = by_rows_;
  all.insert(all.end(), by_scored_.begin(), by_scored_.end());
  return all;
}

BatchesOfWork BatchesOfSteps(const TokenFile& pairs, const Batcher& batcher, int64_t steps,
                             const BatchRules& rules) {
  BatchesOfWork work;
  for (int64_t step = 0; step < steps; ++step) {
    bool is_first = true;
    for (const std::vector<int64_t>& batch : batcher.Step(step).micro_batches) {
      const BatchSizes sizes = SizesOf(SequencesOf(pairs, batch, rules.responses), rules.packed,
                                       SidesOf(rules.responses));
      Count(sizes, rules, &work);
      (is_first ? work.first : work.later).Add(sizes);
      is_first = false;
    }
  }
  return work;
}

BatchesOfWork BatchesOfEvaluation(const TokenFile& pairs, int64_t count, int64_t tokens,
                                  const BatchRules& rules) {
  BatchesOfWork work;
  Batcher::Options cut;
  cut.tokens_per_microbatch = tokens;
  cut.sequences_per_pair = SidesOf(rules.responses);
  const PairLengths lengths = LengthsOf(pairs, count, rules.responses, rules.packed);
  std::vector<int64_t> all;
  for (int64_t i = 0; i < count; ++i) all.push_back(i);
  for (const std::vector<int64_t>& batch : CutMicroBatches(all, lengths, cut)) {
    const BatchSizes sizes =
        SizesOf(SequencesOf(pairs, batch, rules.responses), rules.packed, SidesOf(rules.responses));
    Count(sizes, rules, &work);
    work.first.Add(sizes);
  }
  return work;
}

BatchesOfWork BatchesOfScoring(const std::vector<Sequence>& sequences, int64_t tokens,
                               const BatchRules& rules) {
  BatchesOfWork work;
  std::vector<int64_t> lengths;
  for (const Sequence& sequence : sequences) lengths.push_back(sequence.length());
  for (const std::vector<int64_t>& group :
       rules.packed ? GroupPacked(sequences, tokens) : GroupByLength(lengths, tokens)) {
    std::vector<Sequence> members;
    for (const int64_t position : group)
      members.push_back(sequences[static_cast<size_t>(position)]);
    const BatchSizes sizes = SizesOf(members, rules.packed, 1);
    Count(sizes, rules, &work);
    work.first.Add(sizes);
  }
  return work;
}

double ForwardFlopsOf(const GemmaConfig& config, const BatchSizes& batch) {
  const auto d = static_cast<double>(config.hidden_size);
  const auto queries = static_cast<double>(config.heads * config.head_dim);
  const auto keys = static_cast<double>(config.kv_heads * config.head_dim);
  const auto of_key = 4 * d * keys;
  const auto of_query = 4 * d * queries + 6 * d * static_cast<double>(config.intermediate_size);
  const auto rows = static_cast<double>(batch.rows), read = static_cast<double>(batch.kept_rows);
  const auto before = static_cast<double>(config.layers - 1);
  const double seen = static_cast<double>(batch.longest) / 2;
  return rows * static_cast<double>(config.layers) * of_key +
         (before * rows + read) * (of_query + 4 * queries * seen) +
         2 * d * static_cast<double>(config.vocab_size * batch.scored_rows());
}

}  // namespace fpo::train
