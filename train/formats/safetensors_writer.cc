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
using NamedTensor = std::pair<const std::string, at::Tensor>;

// Writing the widest types first keeps every tensor aligned without padding, which the format
// forbids.
std::vector<const NamedTensor*> FileOrder(const TensorMap& tensors) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& item : tensors) order.push_back(&item);
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return a->second.element_size() > b->second.element_size();
  });
  return order;
}

absl::StatusOr<std::string> Header(const std::vector<const NamedTensor*>& order,
                                   const std::map<std::string, std::string>& metadata) {
  OrderedJson header = OrderedJson::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const NamedTensor* item : order) {
    const at::Tensor& tensor = item->second;
    const auto dtype = TensorTypeName(tensor.scalar_type());
    if (!dtype.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(item->first, ": ", dtype.status().message()));
    }
    const int64_t end = offset + tensor.numel() * tensor.element_size();
    header[item->first] = {
        {"dtype", *dtype}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

int64_t BytesOf(const at::Tensor& tensor) { return tensor.numel() * tensor.element_size(); }

// Groups tensors, in name order, into shards of at most `shard_bytes`; a larger tensor gets its
// own.
std::vector<TensorMap> CutShards(const TensorMap& tensors, int64_t shard_bytes) {
  std::vector<TensorMap> shards(1);
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

}  // namespace

absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata) {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined() || name == "__metadata__") {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot write tensor \"", name, "\" to ", path, ": undefined or reserved"));
    }
  }
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
    const at::Tensor plain = item->second.detach().to(at::kCPU).contiguous();
    if (plain.numel() == 0) continue;
    const absl::string_view bytes(static_cast<const char*>(plain.const_data_ptr()),
                                  static_cast<size_t>(BytesOf(plain)));
    for (size_t at = 0; at < bytes.size(); at += kWriteBytes) {
      const absl::string_view part = bytes.substr(at, kWriteBytes);
      FPO_RETURN_IF_ERROR(file->Append(part));
      work.Advance(static_cast<int64_t>(part.size()));
    }
  }
  return file->Finish();
}

absl::Status WriteShardedSafetensors(const std::string& folder, const TensorMap& tensors,
                                     int64_t shard_bytes) {
  const std::map<std::string, std::string> metadata = {{"format", "pt"}};
  const auto shards = CutShards(tensors, shard_bytes);
  if (shards.size() == 1) {
    return WriteSafetensors(absl::StrCat(folder, "/model.safetensors"), tensors, metadata);
  }
  OrderedJson index;
  int64_t total = 0;
  index["metadata"] = OrderedJson::object();
  index["weight_map"] = OrderedJson::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name =
        absl::StrFormat("model-%05d-of-%05d.safetensors", i + 1, shards.size());
    FPO_RETURN_IF_ERROR(WriteSafetensors(absl::StrCat(folder, "/", name), shards[i], metadata));
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
