#include "train/formats/safetensors_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/durable_file.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

constexpr size_t kWriteBytes = size_t{16} << 20;  // per write: progress is reported in between

using OrderedJson = nlohmann::ordered_json;
using NamedTensor = std::pair<const std::string, LazyTensor>;

int64_t BytesOf(const LazyTensor& tensor) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(tensor.type));
  for (const int64_t size : tensor.shape) bytes *= size;
  return bytes;
}

// Writing the widest types first keeps every tensor aligned without padding, which the format
// forbids.
std::vector<const NamedTensor*> FileOrder(const LazyTensors& tensors) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& item : tensors) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return c10::elementSize(a->second.type) > c10::elementSize(b->second.type);
  });
  return order;
}

absl::StatusOr<std::string> Header(const std::vector<const NamedTensor*>& order,
                                   const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const NamedTensor* item : order) {
    const LazyTensor& tensor = item->second;
    const auto dtype = TensorTypeName(tensor.type);
    if (!dtype.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(item->first, ": ", dtype.status().message()));
    }
    const int64_t end = offset + BytesOf(tensor);
    header[item->first] = {
        {"dtype", *dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

// Groups tensors, in name order, into shards of at most `shard_bytes`; a larger tensor gets its
// own.
std::vector<LazyTensors> CutShards(const LazyTensors& tensors, int64_t shard_bytes) {
  std::vector<LazyTensors> shards(1);
  int64_t filled = 0;
  for (const NamedTensor& item : tensors) {
    const int64_t bytes = BytesOf(item.second);
    if (!shards.back().empty() && filled + bytes > shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().insert(item);
    filled += bytes;
  }
  return shards;
}

absl::Status AppendTensor(const NamedTensor& item, DurableFile* file, Work* work) {
  FPO_ASSIGN_OR_RETURN(const at::Tensor made, item.second.make());
  const at::Tensor plain = made.detach().to(at::kCPU).contiguous();
  if (plain.scalar_type() != item.second.type || plain.sizes() != item.second.shape) {
    return absl::InternalError(absl::StrCat("tensor \"", item.first, "\" was announced as ",
                                            ShapeText(item.second.shape), " and is ",
                                            ShapeText(plain.sizes().vec())));
  }
  if (plain.numel() == 0) return absl::OkStatus();
  const absl::string_view bytes(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  for (size_t at = 0; at < bytes.size(); at += kWriteBytes) {
    const absl::string_view part = bytes.substr(at, kWriteBytes);
    FPO_RETURN_IF_ERROR(file->Append(part));
    work->Advance(static_cast<int64_t>(part.size()));
  }
  return absl::OkStatus();
}

absl::Status WriteLazy(const std::string& path, const LazyTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto order = FileOrder(tensors);
  FPO_ASSIGN_OR_RETURN(const std::string header, Header(order, metadata));
  FPO_ASSIGN_OR_RETURN(auto file, DurableFile::Create(path));
  const uint64_t header_bytes = header.size();
  char length[8];
  std::memcpy(length, &header_bytes, 8);
  FPO_RETURN_IF_ERROR(file->Append(absl::string_view(length, 8)));
  FPO_RETURN_IF_ERROR(file->Append(header));
  int64_t total = 0;
  for (const NamedTensor* item : order) total += BytesOf(item->second);
  Work work(absl::StrCat("writing ", path.substr(path.rfind('/') + 1)), total, "bytes");
  for (const NamedTensor* item : order) {
    FPO_RETURN_IF_ERROR(AppendTensor(*item, file.get(), &work));
  }
  return file->Finish();
}

absl::Status CheckDefined(const std::string& path, const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined() || name == "__metadata__") {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot write tensor \"", name, "\" to ", path, ": undefined or reserved"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

LazyTensors Lazy(const TensorMap& tensors) {
  LazyTensors lazy;
  for (const auto& [name, tensor] : tensors) {
    const auto make = [tensor = tensor]() -> absl::StatusOr<at::Tensor> { return tensor; };
    lazy.emplace(name, LazyTensor{tensor.scalar_type(), tensor.sizes().vec(), make});
  }
  return lazy;
}

absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata) {
  FPO_RETURN_IF_ERROR(CheckDefined(path, tensors));
  return WriteLazy(path, Lazy(tensors), metadata);
}

absl::Status WriteShardedSafetensors(const std::string& folder, const TensorMap& tensors,
                                     int64_t shard_bytes) {
  FPO_RETURN_IF_ERROR(CheckDefined(folder, tensors));
  return WriteShardedSafetensors(folder, Lazy(tensors), shard_bytes);
}

absl::Status WriteShardedSafetensors(const std::string& folder, const LazyTensors& tensors,
                                     int64_t shard_bytes) {
  const std::map<std::string, std::string> metadata = {{"format", "pt"}};
  const auto shards = CutShards(tensors, shard_bytes);
  if (shards.size() == 1) {
    return WriteLazy(absl::StrCat(folder, "/model.safetensors"), tensors, metadata);
  }
  OrderedJson index;
  int64_t total = 0;
  index["metadata"] = OrderedJson::object();
  index["weight_map"] = OrderedJson::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name =
        absl::StrFormat("model-%05d-of-%05d.safetensors", i + 1, shards.size());
    FPO_RETURN_IF_ERROR(WriteLazy(absl::StrCat(folder, "/", name), shards[i], metadata));
    for (const auto& [tensor_name, tensor] : shards[i]) {
      index["weight_map"][tensor_name] = name;
      total += BytesOf(tensor);
    }
  }
  index["metadata"]["total_size"] = total;
  return WriteFileAtomically(absl::StrCat(folder, "/model.safetensors.index.json"),
                             index.dump(2) + "\n");
}

}  // namespace fpo::train
