#include "train/packed/nf4_folder.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/formats/nf4_names.h"
#include "train/formats/tensor_type.h"
#include "train/nf4/nf4_rows.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kStateBytesMax = 1 << 16;
constexpr int64_t kBlockMax = 1 << 16;

class PackedReader {
 public:
  PackedReader(const SafetensorsDirectory& directory, const std::string& name)
      : directory_(directory), name_(name) {}

  absl::StatusOr<Nf4Tensor> Read(const std::vector<int64_t>& shape) const {
    FPO_ASSIGN_OR_RETURN(const Json state, State());
    if (state.value("quant_type", Json()) != "nf4") return Unfit("is not NF4");
    if (state.value("shape", Json()) != Json(shape)) {
      return Unfit(absl::StrCat("was of shape ", state.value("shape", Json()).dump(),
                                ", but config.json asks for ", ShapeText(shape)));
    }
    Nf4Tensor packed;
    packed.sizes = shape;
    const int64_t count = packed.Weights();
    FPO_ASSIGN_OR_RETURN(packed.block, Count(state, "blocksize"));
    if (packed.block % 32 != 0) return Unfit(absl::StrCat("has blocks of ", packed.block));
    FPO_ASSIGN_OR_RETURN(packed.codes, Part("", "U8", {(count + 1) / 2, 1}));
    FPO_ASSIGN_OR_RETURN(const at::Tensor values, Part(".quant_map", "F32", {16}));
    if (!at::equal(values, at::tensor(at::ArrayRef<float>(kNf4Values), at::kFloat))) {
      return Unfit("has other values than NF4's in its quant_map");
    }
    const int64_t blocks = (count + packed.block - 1) / packed.block;
    const bool nested = directory_.Contains(name_ + ".nested_absmax");
    FPO_ASSIGN_OR_RETURN(packed.absmax, Part(".absmax", nested ? "U8" : "F32", {blocks}));
    if (nested) FPO_RETURN_IF_ERROR(ReadNested(state, blocks, &packed));
    return packed;
  }

 private:
  absl::Status Unfit(absl::string_view problem) const {
    return absl::InvalidArgumentError(
        absl::StrCat("model weights: tensor \"", name_, "\", packed by bitsandbytes, ", problem));
  }

  absl::StatusOr<Json> State() const {
    const std::string name = name_ + kNf4State;
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, directory_.Entry(name));
    if (entry.dtype != "U8" || entry.Elements() > kStateBytesMax) {
      return Unfit("has a quant_state that is no short text");
    }
    FPO_ASSIGN_OR_RETURN(const at::Tensor bytes, directory_.Tensor(name));
    const auto* const begin = bytes.const_data_ptr<uint8_t>();
    Json state = Json::parse(begin, begin + bytes.numel(), nullptr, /*allow_exceptions=*/false);
    if (!state.is_object()) return Unfit("has a quant_state that is not a JSON object");
    return state;
  }

  absl::StatusOr<int64_t> Count(const Json& state, const char* key) const {
    const auto it = state.find(key);
    if (it == state.end() || !it->is_number_integer() || *it < 1 || *it > kBlockMax) {
      return Unfit(absl::StrCat("has no ", key, " from 1 to ", kBlockMax));
    }
    return it->get<int64_t>();
  }

  absl::StatusOr<at::Tensor> Part(const char* part, const char* dtype,
                                  const std::vector<int64_t>& shape) const {
    const std::string name = name_ + part;
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, directory_.Entry(name));
    if (entry.dtype != dtype || entry.shape != shape) {
      return Unfit(absl::StrCat("has \"", name, "\" as ", entry.dtype, " ", ShapeText(entry.shape),
                                ", not ", dtype, " ", ShapeText(shape)));
    }
    return directory_.Tensor(name);
  }

  absl::Status ReadNested(const Json& state, int64_t blocks, Nf4Tensor* packed) const {
    FPO_ASSIGN_OR_RETURN(packed->nested_block, Count(state, "nested_blocksize"));
    const int64_t outer = (blocks + packed->nested_block - 1) / packed->nested_block;
    FPO_ASSIGN_OR_RETURN(packed->nested_absmax, Part(".nested_absmax", "F32", {outer}));
    FPO_ASSIGN_OR_RETURN(packed->nested_map, Part(".nested_quant_map", "F32", {256}));
    const auto offset = state.find("nested_offset");
    if (offset == state.end() || !offset->is_number()) return Unfit("has no nested_offset");
    packed->offset = offset->get<float>();
    return absl::OkStatus();
  }

  const SafetensorsDirectory& directory_;
  const std::string& name_;
};

// The codes are finite whatever they are.
absl::Status CheckFinite(const Nf4Tensor& packed, const std::string& name) {
  for (const at::Tensor& part : {packed.absmax, packed.nested_absmax, packed.nested_map}) {
    if (!part.defined() || at::isfinite(part).all().item<bool>()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("model weights: tensor \"", name,
                     "\", packed by bitsandbytes, has magnitudes that are ", "not finite"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Nf4Tensor> ReadNf4(const SafetensorsDirectory& directory, const std::string& name,
                                  const std::vector<int64_t>& shape) {
  FPO_ASSIGN_OR_RETURN(Nf4Tensor packed, PackedReader(directory, name).Read(shape));
  FPO_RETURN_IF_ERROR(CheckFinite(packed, name));
  return packed;
}

}  // namespace fpo::train
