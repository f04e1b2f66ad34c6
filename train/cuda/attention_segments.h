#pragma once

#include <cstdint>
#include <vector>

namespace fpo::train {

// A prompt and the responses to it, one after another in a packed batch. `queries`: of the prompt's
// rows only the last so many are queries.
struct AttentionRows {
  int64_t prompt = 0, prompt_queries = 0;
  std::vector<int64_t> responses;
};

// A packed batch as sequences of queries, one after another, and of the keys that they see: query i
// of n sees keys up to m - n + i of m. A prompt and its first response are one sequence; each other
// response is one, whose keys are a copy of the prompt's and its own.
struct AttentionSegments {
  std::vector<int32_t> queries, keys;  // rows of each
  int64_t query_rows = 0, key_rows = 0;
  int64_t longest_query = 0, longest_key = 0;
  std::vector<int64_t> key_row;  // of each key row, the packed row that it is; empty: the same
  std::vector<int64_t> own;      // of each packed row, the key row that is no copy; empty: the same
  // Further copies: key rows and the packed rows they belong to. A packed row occurs once in each.
  struct Copies {
    std::vector<int64_t> key, packed;
  };
  std::vector<Copies> copies;

  static AttentionSegments Of(const std::vector<AttentionRows>& groups);
};

// What a plan is made for: it then serves every batch with as many sequences or fewer, none longer.
// The sizes are a few steps, so that a run needs few plans.
struct AttentionBucket {
  int32_t sequences = 0;
  int64_t longest_query = 0, longest_key = 0;

  static AttentionBucket For(const AttentionSegments& segments);
};

// Where each sequence begins, [bucket.sequences + 1], in numbers: `width` of them in a row. The
// unused sequences are empty.
std::vector<int64_t> OffsetsOf(const std::vector<int32_t>& lengths, int32_t sequences,
                               int64_t width);

}  // namespace fpo::train
