#include "train/formats/piece_file.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/formats/safetensors_writer.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr char kPieceFormat[] = "fpo-pieces-1";

// nullopt: not the shape of a tensor, or one of more than 2^63 elements.
std::optional<int64_t> WholeElements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  return count;
}

bool LiesIn(const std::vector<int64_t>& shape, int64_t begin, int64_t length) {
  const std::optional<int64_t> whole = WholeElements(shape);
  return whole.has_value() && begin >= 0 && begin <= *whole && length <= *whole - begin;
}

absl::Status Broken(const SafetensorsFile& file, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(file.path(), " is not one rank's part of a checkpoint: ", what));
}

// "" when it is not there.
std::string Stated(const SafetensorsFile& file, const char* key) {
  const auto it = file.metadata().find(key);
  return it == file.metadata().end() ? "" : it->second;
}

absl::StatusOr<PiecePlace> ReadPlace(const SafetensorsFile& file, const std::string& name,
                                     const Json& value) {
  const auto broken = [&](absl::string_view what) {
    return Broken(file, absl::StrCat("the piece of tensor \"", name, "\" ", what));
  };
  if (!value.is_object() || !value.contains("shape") || !value["shape"].is_array() ||
      !value.contains("begin") || !value["begin"].is_number_integer()) {
    return broken("has no shape or begin");
  }
  PiecePlace place;
  for (const Json& size : value["shape"]) {
    if (!size.is_number_integer()) return broken("has a shape that is not one of numbers");
    place.shape.push_back(size.get<int64_t>());
  }
  place.begin = value["begin"].get<int64_t>();
  const TensorEntry& entry = file.entries().at(name);
  if (entry.shape.size() != 1 || TensorTypeBits(entry.dtype) % 8 != 0) {
    return broken("is not a row of whole bytes");
  }
  if (!LiesIn(place.shape, place.begin, entry.shape[0])) {
    return broken(absl::StrCat("of ", entry.shape[0], " elements from ", place.begin,
                               " on does not lie in shape ", ShapeText(place.shape)));
  }
  return place;
}

}  // namespace

absl::Status WritePieces(const std::string& path, const PieceFileId& id,
                         const std::vector<TensorPiece>& pieces) {
  TensorMap tensors;
  Json places = Json::object();
  for (const TensorPiece& piece : pieces) {
    const int64_t length = piece.end - piece.begin;
    if (length < 0 || !LiesIn(piece.shape, piece.begin, length) || !piece.values.defined() ||
        piece.values.dim() != 1 || piece.values.size(0) != length) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": elements ", piece.begin, " to ", piece.end, " of tensor \"",
                       piece.name, "\" of shape ", ShapeText(piece.shape), " are not a piece"));
    }
    if (!tensors.emplace(piece.name, piece.values).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": two pieces of tensor \"", piece.name, "\""));
    }
    places[piece.name] = {{"shape", piece.shape}, {"begin", piece.begin}};
  }
  return WriteSafetensors(
      path, tensors,
      {{"format", kPieceFormat},
       {"rank", absl::StrCat(id.rank)},
       {"world", absl::StrCat(id.world)},
       {"set", id.set},
       {"pieces", places.dump(-1, ' ', false, Json::error_handler_t::replace)}});
}

absl::StatusOr<PieceIndex> ReadPieceIndex(const SafetensorsFile& file) {
  PieceIndex index;
  if (Stated(file, "format") != kPieceFormat) {
    return Broken(file, absl::StrCat("its format is not ", kPieceFormat));
  }
  index.id.set = Stated(file, "set");
  if (!absl::SimpleAtoi(Stated(file, "rank"), &index.id.rank) ||
      !absl::SimpleAtoi(Stated(file, "world"), &index.id.world)) {
    return Broken(file, "it does not say of which rank it is");
  }
  const Json places = Json::parse(Stated(file, "pieces"), nullptr, /*allow_exceptions=*/false);
  if (!places.is_object()) return Broken(file, "it does not say what its pieces belong to");
  if (places.size() != file.entries().size()) {
    return Broken(file, absl::StrCat("it has ", file.entries().size(), " tensors and describes ",
                                     places.size()));
  }
  for (const auto& [name, value] : places.items()) {
    if (!file.Contains(name)) {
      return Broken(file, absl::StrCat("it lacks tensor \"", name, "\", which it describes"));
    }
    FPO_ASSIGN_OR_RETURN(index.places[name], ReadPlace(file, name, value));
  }
  return index;
}

}  // namespace fpo::train
