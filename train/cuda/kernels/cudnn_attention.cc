// Attention by cuDNN's graphs, in libfpo_cuda.so. cuDNN itself is opened when the first plan is
// made: LibTorch's CUDA half has loaded it by then.

#include <dlfcn.h>

#include <cudnn_frontend.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "train/cuda/kernels/cudnn_attention.h"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;
}

namespace fpo::train::cuda {
namespace {

namespace fe = cudnn_frontend;
using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;
using GraphPointer = std::shared_ptr<fe::graph::Graph>;
using Modifier = std::function<Tensor(GraphPointer, Tensor)>;

enum Uid : int64_t {
  kQ = 1,
  kK,
  kV,
  kZ,
  kNormalizer,
  kQueryLengths,
  kKeyLengths,
  kQueryOffsets,
  kKeyOffsets,
  kNormalizerOffsets,
  kGradZ,
  kGradQ,
  kGradK,
  kGradV,
};

// The inputs and outputs of both graphs.
class Builder {
 public:
  Builder(const CudaAttentionShape& shape, const GraphPointer& graph)
      : shape_(shape), graph_(graph) {
    graph_->set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    query_lengths_ = Integers("query_lengths", kQueryLengths, 0, fe::DataType_t::INT32);
    key_lengths_ = Integers("key_lengths", kKeyLengths, 0, fe::DataType_t::INT32);
    query_offsets_ = Integers("query_offsets", kQueryOffsets, 1, fe::DataType_t::INT64);
    key_offsets_ = Integers("key_offsets", kKeyOffsets, 1, fe::DataType_t::INT64);
    normalizer_offsets_ =
        Integers("normalizer_offsets", kNormalizerOffsets, 1, fe::DataType_t::INT64);
  }

  void Forward() {
    auto attributes = fe::graph::SDPA_attributes()
                          .set_name("attention")
                          .set_generate_stats(true)
                          .set_attn_scale(shape_.scale)
                          .set_score_mod(ScoreModifier());
    auto [z, normalizer] =
        graph_->sdpa(graph_->tensor(Queries("q", kQ)), graph_->tensor(Keys("k", kK)),
                     graph_->tensor(Keys("v", kV)), attributes);
    Describe(Queries("z", kZ), z);
    z->set_output(true);
    Describe(Normalizer(), normalizer);
    normalizer->set_output(true).set_data_type(fe::DataType_t::FLOAT);
  }

  void Backward() {
    auto attributes = fe::graph::SDPA_backward_attributes()
                          .set_name("attention_gradient")
                          .set_attn_scale(shape_.scale)
                          .set_deterministic_algorithm(true)
                          .set_score_mod(ScoreModifier());
    if (shape_.cap > 0) attributes.set_score_mod_bprop(ScoreGradient());
    auto [q, k, v] = graph_->sdpa_backward(
        graph_->tensor(Queries("q", kQ)), graph_->tensor(Keys("k", kK)),
        graph_->tensor(Keys("v", kV)), graph_->tensor(Queries("z", kZ)),
        graph_->tensor(Queries("grad_z", kGradZ)), graph_->tensor(Normalizer()), attributes);
    Describe(Queries("grad_q", kGradQ), q);
    Describe(Keys("grad_k", kGradK), k);
    Describe(Keys("grad_v", kGradV), v);
    for (const Tensor& gradient : std::vector<Tensor>{q, k, v}) gradient->set_output(true);
  }

 private:
  using Attributes = fe::graph::Tensor_attributes;

  Tensor Integers(const char* name, Uid uid, int more, fe::DataType_t type) {
    return graph_->tensor(Attributes()
                              .set_name(name)
                              .set_uid(uid)
                              .set_data_type(type)
                              .set_dim({shape_.sequences + more, 1, 1, 1})
                              .set_stride({1, 1, 1, 1}));
  }
  Attributes Rows(int64_t longest, int64_t heads, int64_t width) const {
    return Attributes()
        .set_dim({shape_.sequences, heads, longest, width})
        .set_stride({longest * heads * width, width, heads * width, 1});
  }
  Attributes Queries(const char* name, Uid uid) const {
    return Rows(shape_.longest_query, shape_.heads, shape_.head_dim)
        .set_name(name)
        .set_uid(uid)
        .set_ragged_offset(query_offsets_);
  }
  Attributes Keys(const char* name, Uid uid) const {
    return Rows(shape_.longest_key, shape_.kv_heads, shape_.head_dim)
        .set_name(name)
        .set_uid(uid)
        .set_ragged_offset(key_offsets_);
  }
  Attributes Normalizer() const {
    return Rows(shape_.longest_query, shape_.heads, 1)
        .set_name("normalizer")
        .set_uid(kNormalizer)
        .set_data_type(fe::DataType_t::FLOAT)
        .set_ragged_offset(normalizer_offsets_);
  }
  static void Describe(Attributes like, const Tensor& tensor) {
    tensor->set_uid(like.get_uid())
        .set_dim(like.get_dim())
        .set_stride(like.get_stride())
        .set_ragged_offset(like.get_ragged_offset());
  }

  static Tensor Scalar(float value) { return std::make_shared<Attributes>(value); }

  // Softcap, then what is no key of the sequence, then what the query does not see.
  Modifier ScoreModifier() {
    return [this](GraphPointer graph, Tensor score) {
      namespace modifiers = fe::graph::attn::score_modifiers;
      if (shape_.cap > 0) score = softcap_->forward(graph, score, Scalar(shape_.cap));
      score = modifiers::padding_mask(graph, score, key_lengths_, query_lengths_);
      std::optional<int64_t> window;
      if (shape_.window > 0) window = shape_.window;
      return modifiers::sliding_window_mask(graph, score, fe::DiagonalAlignment_t::BOTTOM_RIGHT,
                                            window, 0, shape_.longest_query, shape_.longest_key,
                                            query_lengths_, key_lengths_);
    };
  }
  Modifier ScoreGradient() {
    return [this](GraphPointer graph, Tensor gradient) {
      return softcap_->backward(graph, gradient, Scalar(shape_.cap));
    };
  }

  CudaAttentionShape shape_;
  GraphPointer graph_;
  Tensor query_lengths_, key_lengths_, query_offsets_, key_offsets_, normalizer_offsets_;
  std::shared_ptr<fe::graph::attn::score_modifiers::Softcap> softcap_ =
      std::make_shared<fe::graph::attn::score_modifiers::Softcap>();
};

struct Plan {
  GraphPointer graph = std::make_shared<fe::graph::Graph>();
  std::unique_ptr<Builder> builder;  // the modifiers refer to it
  int64_t workspace = 0;

  // `capability`: of the device, which is asked where it is 0.
  Plan(const CudaAttentionShape& shape, bool backward, int capability = 0) {
    if (capability > 0) graph->set_sm_version(capability);  // each node keeps a copy
    builder = std::make_unique<Builder>(shape, graph);
    backward ? builder->Backward() : builder->Forward();
  }
};

void Check(fe::error_t status) {
  if (!status.is_good()) throw std::runtime_error(status.get_message());
}

// Plans of this process, by shape and direction.
class Plans {
 public:
  const Plan& For(cudnnHandle_t handle, const CudaAttentionShape& s, bool backward) {
    const Key key = {s.sequences, s.longest_query, s.longest_key, s.heads,  s.kv_heads,
                     s.head_dim,  s.scale,         s.cap,         s.window, backward};
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = made_.find(key); found != made_.end()) return *found->second;
    auto plan = std::make_unique<Plan>(s, backward);
    Check(plan->graph->build(handle, {fe::HeurMode_t::A}));
    Check(plan->graph->get_workspace_size(plan->workspace));
    return *made_.emplace(key, std::move(plan)).first->second;
  }

 private:
  using Key =
      std::tuple<int32_t, int64_t, int64_t, int64_t, int64_t, int64_t, float, float, int64_t, bool>;
  std::mutex mutex_;
  std::map<Key, std::unique_ptr<Plan>> made_;
};

Plans& AllPlans() {
  static Plans* const plans = new Plans;  // outlives the device's shutdown
  return *plans;
}

void OpenCudnn() {
  static void* const opened = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_GLOBAL);
  if (opened == nullptr) throw std::runtime_error("libcudnn.so.9 does not load");
  fe::cudnn_dlhandle = opened;
}

cudnnHandle_t HandleOfThread() {
  OpenCudnn();
  thread_local cudnnHandle_t handle = [] {
    cudnnHandle_t made = nullptr;
    if (fe::detail::create_handle(&made) != CUDNN_STATUS_SUCCESS) {
      throw std::runtime_error("there is no handle");
    }
    return made;  // until the process ends
  }();
  return handle;
}

// Null, or what fn threw, in a text that lives until the thread's next call.
template <class Fn>
const char* Run(const Fn& fn) {
  thread_local std::string problem;
  try {
    fn();
    return nullptr;
  } catch (const std::exception& error) {
    problem = std::string("cuDNN attention: ") + error.what();
    return problem.c_str();
  }
}

const char* Prepare(const CudaAttentionShape& shape, int64_t* forward, int64_t* backward) {
  return Run([&] {
    const cudnnHandle_t handle = HandleOfThread();
    *forward = AllPlans().For(handle, shape, false).workspace;
    *backward = AllPlans().For(handle, shape, true).workspace;
  });
}

void Execute(const CudaAttention& call, void* stream, bool backward) {
  const auto in = [](const void* p) { return const_cast<void*>(p); };
  const cudnnHandle_t handle = HandleOfThread();
  if (fe::detail::set_stream(handle, static_cast<cudaStream_t>(stream)) != CUDNN_STATUS_SUCCESS) {
    throw std::runtime_error("it does not take the stream");
  }
  std::unordered_map<int64_t, void*> pointers = {{kQ, in(call.q)},
                                                 {kK, in(call.k)},
                                                 {kV, in(call.v)},
                                                 {kZ, call.z},
                                                 {kNormalizer, call.normalizer},
                                                 {kQueryLengths, in(call.query_lengths)},
                                                 {kKeyLengths, in(call.key_lengths)},
                                                 {kQueryOffsets, in(call.query_offsets)},
                                                 {kKeyOffsets, in(call.key_offsets)},
                                                 {kNormalizerOffsets, in(call.normalizer_offsets)}};
  if (backward) {
    pointers.insert({{kGradZ, in(call.grad_z)},
                     {kGradQ, call.grad_q},
                     {kGradK, call.grad_k},
                     {kGradV, call.grad_v}});
  }
  const Plan& plan = AllPlans().For(handle, call.shape, backward);
  Check(plan.graph->execute(handle, pointers, call.workspace));
}

const char* Forward(const CudaAttention& call, void* stream) {
  return Run([&] { Execute(call, stream, false); });
}
const char* Backward(const CudaAttention& call, void* stream) {
  return Run([&] { Execute(call, stream, true); });
}

void BuildFor(const std::shared_ptr<const fe::DeviceProperties>& device, fe::graph::Graph* graph) {
  graph->set_device_properties(device);
  Check(graph->validate());
  Check(graph->build_operation_graph());
  Check(graph->create_execution_plans({fe::HeurMode_t::A}));
  Check(graph->check_support());
  Check(graph->build_plans());
}

const char* TryPlan(const CudaAttentionShape& shape, const char* device_json, int capability) {
  return Run([&] {
    OpenCudnn();
    const std::string json = device_json;
    const auto device = std::make_shared<fe::DeviceProperties>();
    Check(device->deserialize(std::vector<uint8_t>(json.begin(), json.end())));
    for (const bool backward : {false, true}) {
      const Plan plan(shape, backward, capability);
      BuildFor(device, plan.graph.get());
    }
  });
}

}  // namespace

const CudaAttentionTable* CudnnAttention() {
  static const CudaAttentionTable table = {Prepare, Forward, Backward, TryPlan};
  return &table;
}

}  // namespace fpo::train::cuda
