#pragma once

#include <c10/util/intrusive_ptr.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace c10d {
class Store;
}  // namespace c10d

namespace fpo::train {

// Barriers of ranks that share a store, for waits without a limit: a rank may work for hours before
// it arrives. While the object lives, a thread shows the others that this process lives; a rank
// that has not arrived and shows nothing for `lost_after` is lost. For one thread.
class StoreBarrier {
 public:
  struct Options {
    absl::Duration heartbeat_every = absl::Seconds(5);
    // Far above what a busy host delays a thread or a packet by.
    absl::Duration lost_after = absl::Minutes(1);
    absl::Duration report_every = absl::Seconds(30);
    // Gets a line for people each `report_every` of a wait; may be empty.
    std::function<void(const std::string&)> report = {};
  };
  // Of `rank` of `world`. The heartbeats use a connection of their own to `store`.
  StoreBarrier(c10::intrusive_ptr<c10d::Store> store, int64_t rank, int64_t world, Options options);
  ~StoreBarrier();
  StoreBarrier(const StoreBarrier&) = delete;
  StoreBarrier& operator=(const StoreBarrier&) = delete;

  // Waits for all ranks; `what` says what those that arrive late are doing. With `done`, it is over
  // when that is true: for a transport that notices the end of a process at once. Aborted when a
  // rank is lost. Throws what the store throws, when rank 0, which serves it, is gone.
  absl::Status Wait(absl::string_view what, const std::function<bool()>& done = {});

 private:
  // What is known of a rank that has not arrived.
  struct Peer {
    int64_t rank = 0;
    std::string heartbeat;  // last seen
    absl::Time changed;
  };
  void Beat(const c10::intrusive_ptr<c10d::Store>& store);
  std::string ArrivedKey(int64_t barrier, int64_t rank) const;
  std::string Heartbeat(int64_t rank);                   // empty: none yet
  absl::Status DropArrived(std::vector<Peer>* missing);  // and looks for signs of the others
  std::string Line(const std::vector<Peer>& missing, absl::Duration waited,
                   absl::string_view what) const;

  const c10::intrusive_ptr<c10d::Store> store_;
  const int64_t rank_;
  const int64_t world_;
  const Options options_;
  int64_t passed_ = 0;  // barriers
  std::stop_source stopped_;
  std::thread heartbeats_;
};

}  // namespace fpo::train
