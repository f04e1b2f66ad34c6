#include "train/data/prompt_cut.h"

#include <algorithm>
#include <utility>

namespace fpo::train {
namespace {

constexpr int64_t kHeaderIdsMax = 8;  // <start_of_turn>, the role's pieces, newline

struct TurnHeaderSpan {
  int64_t begin = 0;
  int64_t end = 0;  // after the newline
};

std::vector<TurnHeaderSpan> FindHeaders(const std::vector<int32_t>& ids, const TurnMarks& marks) {
  std::vector<TurnHeaderSpan> headers;
  if (!marks.start_of_turn) return headers;
  const auto size = static_cast<int64_t>(ids.size());
  for (int64_t i = 0; i < size; ++i) {
    if (ids[static_cast<size_t>(i)] != *marks.start_of_turn) continue;
    const int64_t last = std::min(size, i + kHeaderIdsMax);
    for (int64_t k = i + 1; k < last; ++k) {
      const int32_t id = ids[static_cast<size_t>(k)];
      if (std::count(marks.newlines.begin(), marks.newlines.end(), id) == 0) continue;
      headers.push_back({i, k + 1});
      break;
    }
  }
  return headers;
}

}  // namespace

bool CutPrompt(const TurnMarks& marks, int64_t length_max, std::vector<int32_t>* prompt) {
  const auto size = static_cast<int64_t>(prompt->size());
  if (size <= length_max) return false;
  const int64_t front = marks.bos && prompt->front() == *marks.bos ? 1 : 0;
  TurnHeaderSpan kept;  // empty: without turns, BOS and the last ids stay
  int64_t tail = size - (length_max - front);
  const std::vector<TurnHeaderSpan> headers = FindHeaders(*prompt, marks);
  for (size_t i = 0; i < headers.size(); ++i) {
    const int64_t length = headers[i].end - headers[i].begin;
    // A header with nothing after it carries no information, unless it is the last one, which asks
    // for the response.
    const int64_t needed = headers[i].end == size ? length : length + 1;
    if (front + needed > length_max) continue;
    const int64_t begin = std::max(headers[i].end, size - (length_max - front - length));
    // The cut falls into the first turn that reaches beyond it.
    const int64_t turn_end = i + 1 < headers.size() ? headers[i + 1].begin : size + 1;
    if (begin >= turn_end) continue;
    kept = headers[i];
    tail = begin;
    break;
  }
  std::vector<int32_t> cut(prompt->begin(), prompt->begin() + front);
  cut.insert(cut.end(), prompt->begin() + kept.begin, prompt->begin() + kept.end);
  cut.insert(cut.end(), prompt->begin() + std::min(tail, size), prompt->end());
  *prompt = std::move(cut);
  return true;
}

}  // namespace fpo::train
