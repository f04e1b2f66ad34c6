#include "train/cuda/attention_segments.h"

#include <algorithm>
#include <numeric>

namespace fpo::train {
namespace {

// The least size of a few that holds n: powers of two, and one and a half times them.
int64_t SizeFor(int64_t n, int64_t least) {
  int64_t size = least;
  while (size < n) {
    if (size + size / 2 >= n) return size + size / 2;
    size *= 2;
  }
  return size;
}

void AppendRange(int64_t first, int64_t count, std::vector<int64_t>* to) {
  for (int64_t i = 0; i < count; ++i) to->push_back(first + i);
}

}  // namespace

AttentionSegments AttentionSegments::Of(const std::vector<AttentionRows>& groups) {
  AttentionSegments made;
  const auto add = [&](int64_t query_count, int64_t key_count) {
    made.queries.push_back(static_cast<int32_t>(query_count));
    made.keys.push_back(static_cast<int32_t>(key_count));
    made.query_rows += query_count;
    made.key_rows += key_count;
    made.longest_query = std::max(made.longest_query, query_count);
    made.longest_key = std::max(made.longest_key, key_count);
  };
  int64_t packed = 0;
  for (const AttentionRows& group : groups) {
    const int64_t prompt = packed;
    const int64_t first = group.responses.empty() ? 0 : group.responses[0];
    AppendRange(made.key_rows, group.prompt + first, &made.own);
    AppendRange(packed, group.prompt + first, &made.key_row);
    add(group.prompt_queries + first, group.prompt + first);
    packed += group.prompt + first;
    for (size_t i = 1; i < group.responses.size(); ++i) {
      const int64_t rows = group.responses[i];
      if (made.copies.size() < i) made.copies.emplace_back();
      AppendRange(made.key_rows, group.prompt, &made.copies[i - 1].key);
      AppendRange(prompt, group.prompt, &made.copies[i - 1].packed);
      AppendRange(made.key_rows + group.prompt, rows, &made.own);
      AppendRange(prompt, group.prompt, &made.key_row);
      AppendRange(packed, rows, &made.key_row);
      add(rows, group.prompt + rows);
      packed += rows;
    }
  }
  if (made.copies.empty()) {
    made.key_row.clear();
    made.own.clear();
  }
  return made;
}

AttentionBucket AttentionBucket::For(const AttentionSegments& segments) {
  constexpr int64_t kSequences = 8, kRows = 128;
  const auto sequences = static_cast<int64_t>(segments.queries.size());
  return {static_cast<int32_t>(SizeFor(sequences, kSequences)),
          SizeFor(segments.longest_query, kRows), SizeFor(segments.longest_key, kRows)};
}

std::vector<int64_t> OffsetsOf(const std::vector<int32_t>& lengths, int32_t sequences,
                               int64_t width) {
  std::vector<int64_t> offsets(static_cast<size_t>(sequences) + 1, 0);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    offsets[i + 1] = offsets[i] + (i < lengths.size() ? lengths[i] * width : 0);
  }
  return offsets;
}

}  // namespace fpo::train
