#include "train/model/backward_watch.h"

namespace fpo::train {
namespace {

// Ranks may be threads of one process (tests), each with a model of its own.
thread_local BackwardWatch* current_watch = nullptr;

}  // namespace

BackwardWatchInScope::BackwardWatchInScope(BackwardWatch* watch) : outer_(current_watch) {
  current_watch = watch;
}

BackwardWatchInScope::~BackwardWatchInScope() { current_watch = outer_; }

BackwardWatch* CurrentBackwardWatch() { return current_watch; }

}  // namespace fpo::train
