#include "train/collective/c10d_process_group.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/collective/backend.h"
#include "train/collective/store_socket.h"

namespace fpo::train {
namespace {

// 16 MiB of float32 per rank and call: large enough for throughput, small beside a model.
constexpr int64_t kChunkElements = int64_t{4} << 20;

constexpr absl::Duration kUnlimited = absl::Hours(24 * 365);

std::chrono::milliseconds Milliseconds(absl::Duration duration) {
  return std::chrono::milliseconds(absl::ToInt64Milliseconds(duration));
}

// c10d throws when a peer is lost or times out; this converts the exception to a status.
absl::Status Translated(const std::string& what, const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    const std::string text = error.what();
    return absl::AbortedError(absl::StrCat(
        what, ": another rank was lost or timed out: ", text.substr(0, text.find('\n'))));
  }
  return absl::OkStatus();
}

constexpr char kExchanging[] = "exchanging with the other ranks";

class C10dTransfer final : public Transfer {
 public:
  C10dTransfer(c10::intrusive_ptr<c10d::Work> work, std::vector<at::Tensor> tensors)
      : work_(std::move(work)), tensors_(std::move(tensors)) {}
  absl::Status Wait() override {
    return Translated(kExchanging, [this] { work_->wait(); });
  }

 private:
  const c10::intrusive_ptr<c10d::Work> work_;
  const std::vector<at::Tensor> tensors_;  // which the call reads and writes
};

// As bytes, whatever the dtype: backends need not know bfloat16.
at::Tensor Bytes(const at::Tensor& tensor) { return tensor.view({-1}).view(at::kByte); }

class C10dProcessGroup final : public ProcessGroup {
 public:
  explicit C10dProcessGroup(const C10dOptions& options) : options_(options) {}
  ~C10dProcessGroup() override;
  absl::Status Join();

  int64_t rank() const override { return options_.rank; }
  int64_t world() const override { return options_.world; }
  absl::Status Sum(std::vector<double>* values) override;
  absl::Status Sum(const std::vector<at::Tensor>& tensors) override;
  absl::StatusOr<std::vector<std::string>> AllGather(absl::string_view own) override;
  absl::Status Barrier(absl::string_view what) override;
  absl::StatusOr<std::unique_ptr<Transfer>> StartAllToAll(const at::Tensor& out,
                                                          const at::Tensor& in) override;
  absl::StatusOr<std::unique_ptr<Transfer>> StartAllGather(const at::Tensor& all,
                                                           const at::Tensor& own) override;
  int64_t sent_bytes() const override { return sent_bytes_; }

 private:
  void JoinStore();
  absl::Status JoinBackend();
  c10::intrusive_ptr<c10d::Backend> MakeGloo(const c10::intrusive_ptr<c10d::Store>& store) const;
  // The ranks' tensors; `own` is on the group's device.
  std::vector<at::Tensor> Gathered(const at::Tensor& own);
  std::unique_ptr<Transfer> Started(c10::intrusive_ptr<c10d::Work> work,
                                    std::vector<at::Tensor> tensors);
  void SumInRankOrder(at::Tensor flat);  // [n] on the group's device, in place

  C10dOptions options_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::Backend> backend_;
  c10::intrusive_ptr<c10d::Backend> patient_;  // for barriers only, without a time limit; over Gloo
  c10::intrusive_ptr<c10d::Work> waiting_;     // the barrier in progress
  std::vector<c10::intrusive_ptr<c10d::Work>> started_;  // transfers that were not over yet
  std::unique_ptr<StoreBarrier> barrier_;
  int64_t sent_bytes_ = 0;
};

void C10dProcessGroup::JoinStore() {
  c10d::TCPStoreOptions store;
  store.port = static_cast<uint16_t>(options_.port);
  store.isServer = options_.rank == 0;
  store.numWorkers = static_cast<size_t>(options_.world);
  store.timeout = Milliseconds(options_.timeout);
  std::optional<FileDescriptor> listener;
  if (store.isServer) listener = ListenForRanks(options_.host, store.port);
  if (listener.has_value()) {
    store.useLibUV = false;  // which takes no descriptor
    store.masterListenFd = listener->Release();
  }
  store_ = c10::make_intrusive<c10d::PrefixStore>(
      options_.prefix, c10::make_intrusive<c10d::TCPStore>(options_.host, store));
}

absl::Status C10dProcessGroup::JoinBackend() {
  if (options_.device.is_cuda()) {
    const BackendRequest request{store_, static_cast<int>(options_.rank),
                                 static_cast<int>(options_.world), options_.timeout};
    FPO_ASSIGN_OR_RETURN(backend_, MakeNcclBackend(request));
    return absl::OkStatus();
  }
  backend_ = MakeGloo(store_);
  patient_ = MakeGloo(c10::make_intrusive<c10d::PrefixStore>("patient", store_));
  patient_->setTimeout(Milliseconds(kUnlimited));
  return absl::OkStatus();
}

c10::intrusive_ptr<c10d::Backend> C10dProcessGroup::MakeGloo(
    const c10::intrusive_ptr<c10d::Store>& store) const {
  auto gloo = c10d::ProcessGroupGloo::Options::create(Milliseconds(options_.timeout));
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(options_.host));
  gloo->threads = 2;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(options_.rank),
                                                     static_cast<int>(options_.world), gloo);
}

absl::Status C10dProcessGroup::Join() {
  const std::string what =
      absl::StrCat("rank ", options_.rank, " joining ", options_.host, ":", options_.port);
  absl::Status joined;
  FPO_RETURN_IF_ERROR(Translated(what, [&] {
    JoinStore();
    joined = JoinBackend();
  }));
  FPO_RETURN_IF_ERROR(joined);
  return Translated(what, [this] {
    barrier_ =
        std::make_unique<StoreBarrier>(store_, options_.rank, options_.world, options_.barrier);
  });
}

std::vector<at::Tensor> C10dProcessGroup::Gathered(const at::Tensor& own) {
  std::vector<at::Tensor> parts(static_cast<size_t>(options_.world));
  for (at::Tensor& part : parts) part = at::empty_like(own);
  std::vector<std::vector<at::Tensor>> outputs = {parts};
  std::vector<at::Tensor> inputs = {own};
  sent_bytes_ += (options_.world - 1) * static_cast<int64_t>(own.nbytes());
  backend_->allgather(outputs, inputs)->wait();
  return parts;
}

void C10dProcessGroup::SumInRankOrder(at::Tensor flat) {
  const std::vector<at::Tensor> parts = Gathered(flat);
  flat.copy_(parts[0]);
  for (size_t rank = 1; rank < parts.size(); ++rank) flat.add_(parts[rank]);
}

absl::Status C10dProcessGroup::Sum(std::vector<double>* values) {
  const int64_t count = static_cast<int64_t>(values->size());
  return Translated("summing metrics", [&] {
    const at::Tensor own = at::from_blob(values->data(), {count}, at::kDouble);
    const at::Tensor flat = own.to(options_.device);  // no copy on the CPU
    SumInRankOrder(flat);
    if (!flat.is_cpu()) own.copy_(flat);
  });
}

absl::Status C10dProcessGroup::Sum(const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  Work work("summing over the ranks", static_cast<int64_t>(tensors.size()), "tensors");
  return Translated("summing gradients", [&] {
    for (size_t begin = 0; begin < tensors.size();) {
      // Batches small tensors; sends a large one alone and in chunks.
      size_t end = begin;
      int64_t elements = 0;
      while (end < tensors.size() &&
             (end == begin || elements + tensors[end].numel() <= kChunkElements)) {
        elements += tensors[end++].numel();
      }
      std::vector<at::Tensor> views;
      for (size_t i = begin; i < end; ++i) views.push_back(tensors[i].reshape({-1}));
      at::Tensor flat = at::cat(views).to(options_.device);
      for (int64_t start = 0; start < elements; start += kChunkElements) {
        SumInRankOrder(flat.narrow(0, start, std::min(kChunkElements, elements - start)));
        AdvanceWork(0);
      }
      int64_t offset = 0;
      for (size_t i = begin; i < end; ++i) {
        tensors[i].copy_(flat.narrow(0, offset, tensors[i].numel()).view_as(tensors[i]));
        offset += tensors[i].numel();
      }
      begin = end;
      work.SetDone(static_cast<int64_t>(end));
    }
  });
}

absl::StatusOr<std::vector<std::string>> C10dProcessGroup::AllGather(absl::string_view own) {
  std::vector<std::string> all;
  FPO_RETURN_IF_ERROR(Translated("gathering from all ranks", [&] {
    const auto count = static_cast<int64_t>(own.size());
    at::Tensor bytes = at::empty({count}, at::kByte);
    std::copy(own.begin(), own.end(), bytes.data_ptr<uint8_t>());
    for (const at::Tensor& part : Gathered(bytes.to(options_.device))) {
      const at::Tensor on_host = part.cpu();
      const uint8_t* data = on_host.const_data_ptr<uint8_t>();
      all.emplace_back(data, data + count);
    }
  }));
  return all;
}

absl::StatusOr<std::unique_ptr<Transfer>> C10dProcessGroup::StartAllToAll(const at::Tensor& out,
                                                                          const at::Tensor& in) {
  std::unique_ptr<Transfer> transfer;
  FPO_RETURN_IF_ERROR(Translated(kExchanging, [&] {
    at::Tensor to = Bytes(out), from = Bytes(in);
    std::vector<int64_t> even;  // every rank gives and takes as much
    transfer = Started(backend_->alltoall_base(to, from, even, even), {to, from});
  }));
  sent_bytes_ += (options_.world - 1) * static_cast<int64_t>(in.nbytes()) / options_.world;
  return transfer;
}

absl::StatusOr<std::unique_ptr<Transfer>> C10dProcessGroup::StartAllGather(const at::Tensor& all,
                                                                           const at::Tensor& own) {
  std::unique_ptr<Transfer> transfer;
  FPO_RETURN_IF_ERROR(Translated(kExchanging, [&] {
    at::Tensor to = Bytes(all), from = Bytes(own);
    transfer = Started(backend_->_allgather_base(to, from), {to, from});
  }));
  sent_bytes_ += (options_.world - 1) * static_cast<int64_t>(own.nbytes());
  return transfer;
}

// Gloo knows at once when a process ends; the store's heartbeats tell of a host that is gone
// without a word, and who is missing. NCCL's barrier would occupy the device for as long as it
// waits.
absl::Status C10dProcessGroup::Barrier(absl::string_view what) {
  absl::Status waited;
  FPO_RETURN_IF_ERROR(Translated("waiting for the other ranks", [&] {
    if (patient_ == nullptr) {
      waited = barrier_->Wait(what);
      return;
    }
    waiting_ = patient_->barrier();
    waited = barrier_->Wait(what, [this] { return waiting_->isCompleted(); });
    if (waited.ok()) waiting_->wait();  // throws what it failed with
  }));
  return waited;
}

// A call that waits for a host that is gone cannot be called off, and its backend's destructor
// waits for it: the process ends without that.
C10dProcessGroup::~C10dProcessGroup() {
  if (waiting_ != nullptr && !waiting_->isCompleted()) static_cast<void>(patient_.release());
  const bool all_over = std::all_of(started_.begin(), started_.end(),
                                    [](const auto& work) { return work->isCompleted(); });
  if (!all_over) static_cast<void>(backend_.release());
}

std::unique_ptr<Transfer> C10dProcessGroup::Started(c10::intrusive_ptr<c10d::Work> work,
                                                    std::vector<at::Tensor> tensors) {
  std::erase_if(started_, [](const auto& other) { return other->isCompleted(); });
  started_.push_back(work);
  return std::make_unique<C10dTransfer>(std::move(work), std::move(tensors));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessGroup>> JoinC10d(const C10dOptions& options) {
  auto group = std::make_unique<C10dProcessGroup>(options);
  const absl::Status joined = group->Join();
  if (!joined.ok()) return joined;
  return absl::StatusOr<std::unique_ptr<ProcessGroup>>(std::move(group));
}

}  // namespace fpo::train
