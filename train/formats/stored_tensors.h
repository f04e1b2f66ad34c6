#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/formats/safetensors.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {

// Tensors by name in mapped files, whole or cut into the pieces of several files (piece_file.h).
// Each is read when it is asked for: a view of the mapping where one file has all of it, else a
// copy that only its user keeps. Thread-safe but for AddFile.
class StoredTensors {
 public:
  // Of one file that holds whole tensors.
  static absl::StatusOr<StoredTensors> Open(const std::string& path);
  // Of one file for each rank, in their order. DataLoss names the file of another rank, world or
  // set, and the tensor of which elements are missing or in two files.
  static absl::StatusOr<StoredTensors> OpenPieces(const std::vector<std::string>& paths);
  // From here on a file is checked before anything of it is given out, once for all copies of this
  // object: what is not read is not checked. Its error is that of the call.
  void CheckBeforeUse(std::function<absl::Status(const std::string& path)> check);
  // All tensors of a file of whole ones. DataLoss names one that is there already, and both files.
  absl::Status AddFile(const std::shared_ptr<const SafetensorsFile>& file);

  size_t size() const { return tensors_.size(); }
  std::vector<std::string> Names() const;  // sorted
  bool Contains(const std::string& name) const { return tensors_.count(name) != 0; }
  // Type and shape of the whole; the byte range is 0 to its size. NotFound, as below.
  absl::StatusOr<TensorEntry> Entry(const std::string& name) const;
  absl::StatusOr<at::Tensor> Tensor(const std::string& name) const;
  // Elements [begin, end) in row-major order. InvalidArgument: they are not in the tensor.
  absl::StatusOr<at::Tensor> Range(const std::string& name, int64_t begin, int64_t end) const;
  // The bytes of the whole in order, as they lie in one or more files.
  absl::StatusOr<std::vector<absl::string_view>> Bytes(const std::string& name) const;
  void Forget(const std::string& name) const;  // MappedFile, of what its files have of it
  // The first file that has some of it; "" for a tensor that is not here.
  std::string PathOf(const std::string& name) const;

  // All of them, for a writer; each reads from this object, which must live longer.
  absl::StatusOr<LazyTensors> ForWriting() const;

  absl::Status CheckUnchanged() const;  // MappedFile, of every file

 private:
  class Checks;
  struct Part {
    int64_t begin = 0;  // elements of the whole
    int64_t end = 0;
    std::shared_ptr<const SafetensorsFile> file;
  };
  struct Stored {
    std::string dtype;
    std::vector<int64_t> shape;
    std::vector<Part> parts;  // in order, without gap or overlap
  };
  absl::Status AddPieces(const std::shared_ptr<const SafetensorsFile>& file, int64_t rank,
                         int64_t world);
  absl::Status CheckCovered();
  absl::StatusOr<const Stored*> Find(const std::string& name) const;
  absl::Status Check(const Part& part) const;

  std::string set_;  // of the pieces
  std::map<std::string, Stored> tensors_;
  std::vector<std::shared_ptr<const SafetensorsFile>> files_;
  std::shared_ptr<Checks> checks_;  // null: none
};

}  // namespace fpo::train
