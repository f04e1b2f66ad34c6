#pragma once

#include <grpcpp/support/server_callback.h>

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/streams/idle_watch.h"
#include "common/rpc/streams/open_streams.h"
#include "common/rpc/streams/stream_loop.h"

namespace fpo {

// A call that is answered by a stream of messages, one write at a time. Lifetime: the constructor
// of the derived class ends with Begin; the first step of the loop calls Open; each later step
// without a write in flight calls Next, which writes, finishes, or waits to be woken; after OnDone
// the last step calls Leave and deletes the stream. Protected members are used only by the loop,
// except for Wake, which is thread-safe.
template <typename Response>
class AnswerStream : public grpc::ServerWriteReactor<Response>, public OpenStream {
 public:
  void OnWriteDone(bool ok) final {
    idle_.PeerActed();
    {
      absl::MutexLock lock(&mu_);
      write_done_ = true;
      if (!ok && end_.ok()) end_ = absl::CancelledError("the reader went away");
    }
    loop_.Wake();
  }
  void OnCancel() final { End(absl::CancelledError("the call was cancelled")); }
  void OnDone() final {
    // Under the lock: a step that is running now must not destroy the loop before it is woken.
    absl::MutexLock lock(&mu_);
    done_ = true;
    loop_.Wake();
  }
  void OnTick(absl::Time now) override { idle_.Check(now); }
  void End(const absl::Status& why) final {
    {
      absl::MutexLock lock(&mu_);
      if (end_.ok()) end_ = why;
    }
    loop_.Wake();
  }

 protected:
  // Where the streams are ticked, a peer of `call` that reads nothing for `idle_max` is cut off.
  // `caller`, whose streams are counted together: a name or an address.
  AnswerStream(WorkPool* pool, OpenStreams* streams, grpc::CallbackServerContext* call = nullptr,
               absl::Duration idle_max = absl::InfiniteDuration(), std::string caller = "")
      : streams_(streams),
        caller_(std::move(caller)),
        loop_(pool, [this] { return Step(); }),
        idle_(call, idle_max) {}
  ~AnswerStream() override = default;

  void Begin() {
    if (const absl::Status full = streams_->Add(this, caller_); !full.ok()) End(full);
    loop_.Wake();
  }
  virtual absl::Status Open() = 0;  // an error ends the call
  virtual void Look() {}            // in every step until it has finished
  virtual void Next() = 0;
  virtual void Leave() {}

  void Wake() { loop_.Wake(); }
  bool writing() const { return writing_; }
  void Write(Response message) {
    message_ = std::move(message);
    writing_ = true;
    idle_.WaitsForPeer();
    this->StartWrite(&message_);
  }
  void FinishOnce(const absl::Status& status) {
    if (std::exchange(finished_, true)) return;
    this->Finish(ToGrpcStatus(status));
  }

 private:
  absl::Status Ended() const {
    absl::MutexLock lock(&mu_);
    return end_;
  }
  bool Step() {
    if (!std::exchange(opened_, true)) {
      const absl::Status opened = Ended().ok() ? Open() : absl::OkStatus();
      if (!opened.ok()) FinishOnce(opened);
    }
    if (!finished_) Look();
    absl::Status end;
    bool done = false;
    {
      absl::MutexLock lock(&mu_);
      if (std::exchange(write_done_, false)) writing_ = false;
      done = done_;
      end = end_;
    }
    if (done) {
      streams_->Remove(this);
      Leave();
      delete this;
      return false;
    }
    if (writing_ || finished_) return true;
    if (end.ok()) {
      Next();
    } else {
      FinishOnce(end);
    }
    return true;
  }

  OpenStreams* const streams_;
  const std::string caller_;
  StreamLoop loop_;
  IdleWatch idle_;

  // Used only by the loop.
  bool opened_ = false;
  bool writing_ = false;
  bool finished_ = false;
  Response message_;

  mutable absl::Mutex mu_;
  bool write_done_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo
