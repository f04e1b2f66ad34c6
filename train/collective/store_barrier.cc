#include "train/collective/store_barrier.h"

#include <algorithm>
#include <exception>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "common/waits/stop_wait.h"

namespace fpo::train {
namespace {

constexpr absl::Duration kFirstPoll = absl::Milliseconds(2);
constexpr absl::Duration kLongestPoll = absl::Milliseconds(250);

std::string AliveKey(int64_t rank) { return absl::StrCat("alive/", rank); }

std::vector<uint8_t> StoredText(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

StoreBarrier::StoreBarrier(c10::intrusive_ptr<c10d::Store> store, int64_t rank, int64_t world,
                           Options options)
    : store_(std::move(store)), rank_(rank), world_(world), options_(std::move(options)) {
  heartbeats_ = std::thread([this, own = store_->clone()] { Beat(own); });
}

StoreBarrier::~StoreBarrier() {
  stopped_.request_stop();
  heartbeats_.join();
}

void StoreBarrier::Beat(const c10::intrusive_ptr<c10d::Store>& store) {
  for (int64_t beat = 1;; ++beat) {
    try {
      store->set(AliveKey(rank_), StoredText(absl::StrCat(beat)));
    } catch (const std::exception&) {
      return;  // rank 0 is gone: who waits for it learns that from its own call
    }
    if (!WaitUnlessStopped(stopped_.get_token(), options_.heartbeat_every)) return;
  }
}

std::string StoreBarrier::ArrivedKey(int64_t barrier, int64_t rank) const {
  return absl::StrCat("barrier/", barrier, "/", rank);
}

std::string StoreBarrier::Heartbeat(int64_t rank) {
  if (!store_->check({AliveKey(rank)})) return "";
  const std::vector<uint8_t> value = store_->get(AliveKey(rank));
  return {value.begin(), value.end()};
}

absl::Status StoreBarrier::DropArrived(std::vector<Peer>* missing) {
  const auto arrived = [this](const Peer& peer) {
    return store_->check({ArrivedKey(passed_, peer.rank)});
  };
  missing->erase(std::remove_if(missing->begin(), missing->end(), arrived), missing->end());
  const absl::Time now = BootNow();
  for (Peer& peer : *missing) {
    std::string heartbeat = Heartbeat(peer.rank);
    if (heartbeat != peer.heartbeat) {
      peer.heartbeat = std::move(heartbeat);
      peer.changed = now;
    } else if (now - peer.changed > options_.lost_after) {
      return absl::AbortedError(absl::StrCat("rank ", peer.rank, " was lost: no sign of it for ",
                                             absl::FormatDuration(options_.lost_after)));
    }
  }
  return absl::OkStatus();
}

std::string StoreBarrier::Line(const std::vector<Peer>& missing, absl::Duration waited,
                               absl::string_view what) const {
  const auto number = [](std::string* out, const Peer& peer) { absl::StrAppend(out, peer.rank); };
  const std::string ranks = missing.empty() ? "the last rank"
                                            : absl::StrCat(missing.size() > 1 ? "ranks " : "rank ",
                                                           absl::StrJoin(missing, ", ", number));
  return absl::StrCat("rank ", rank_, " of ", world_, " has waited ",
                      absl::FormatDuration(absl::Floor(waited, absl::Seconds(1))), " for ", ranks,
                      ": ", what);
}

absl::Status StoreBarrier::Wait(absl::string_view what, const std::function<bool()>& done) {
  store_->set(ArrivedKey(passed_, rank_), StoredText("1"));
  const absl::Time begin = BootNow();
  std::vector<Peer> missing;
  for (int64_t rank = 0; rank < world_; ++rank) {
    if (rank != rank_) missing.push_back({rank, "", begin});
  }
  const Work work({"", absl::StrCat("waiting for the other ranks: ", what), 0, 0, ""});
  absl::Duration poll = kFirstPoll;
  for (absl::Time report_at = begin + options_.report_every;;) {
    if (done && done()) break;
    FPO_RETURN_IF_ERROR(DropArrived(&missing));
    if (!done && missing.empty()) break;
    const absl::Time now = BootNow();
    if (now >= report_at) {
      if (options_.report) options_.report(Line(missing, now - begin, what));
      report_at += options_.report_every;
    }
    WaitUnlessStopped(stopped_.get_token(), poll);
    poll = std::min(2 * poll, kLongestPoll);
  }
  // All ranks are here, so none still reads what the barrier before this left behind.
  if (passed_ > 0) store_->deleteKey(ArrivedKey(passed_ - 1, rank_));
  ++passed_;
  return absl::OkStatus();
}

}  // namespace fpo::train
