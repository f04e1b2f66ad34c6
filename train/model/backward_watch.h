#pragma once

#include <cstdint>

namespace fpo::train {

// Is told how far backward has come in a model, so that gradients can leave while it computes the
// rest.
class BackwardWatch {
 public:
  virtual ~BackwardWatch() = default;
  // A forward pass whose graph reaches weights has been built; its backward follows.
  virtual void OnForward() = 0;
  // Backward of one such pass has all gradients of what is behind the output of block `layer`: of
  // the later blocks, the final norm and the head; -1: of all blocks. In the thread that runs
  // backward.
  virtual void OnBackward(int64_t layer) = 0;
};

// While it lives, forward passes of this thread report to `watch`, which must outlive their
// backward.
class BackwardWatchInScope {
 public:
  explicit BackwardWatchInScope(BackwardWatch* watch);
  ~BackwardWatchInScope();
  BackwardWatchInScope(const BackwardWatchInScope&) = delete;
  BackwardWatchInScope& operator=(const BackwardWatchInScope&) = delete;

 private:
  BackwardWatch* const outer_;
};

BackwardWatch* CurrentBackwardWatch();  // of this thread; null: none

}  // namespace fpo::train
