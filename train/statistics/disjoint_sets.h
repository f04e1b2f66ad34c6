#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace fpo::train {

// Sets of the numbers from 0 on, each of which begins alone; a set is named by its least number.
// Not thread-safe.
class DisjointSets {
 public:
  explicit DisjointSets(int64_t count) : parent_(static_cast<size_t>(count)) {
    std::iota(parent_.begin(), parent_.end(), int64_t{0});
  }
  int64_t Of(int64_t number) {
    while (Parent(number) != number) {
      Parent(number) = Parent(Parent(number));  // halves the way for the next time
      number = Parent(number);
    }
    return number;
  }
  void Join(int64_t a, int64_t b) {
    a = Of(a);
    b = Of(b);
    Parent(std::max(a, b)) = std::min(a, b);
  }
  std::vector<int64_t> All() {
    std::vector<int64_t> sets;
    for (int64_t i = 0; i < static_cast<int64_t>(parent_.size()); ++i) sets.push_back(Of(i));
    return sets;
  }

 private:
  int64_t& Parent(int64_t number) { return parent_[static_cast<size_t>(number)]; }
  std::vector<int64_t> parent_;  // never greater than the number itself
};

}  // namespace fpo::train
