#include "train/formats/stored_tensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status_macros.h"
#include "train/formats/piece_file.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

int64_t ProductOf(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

absl::Status InTwo(const std::string& name, const std::string& one, const std::string& other) {
  return absl::DataLossError(absl::StrCat("tensor \"", name, "\" is in both ", one, " and ", other,
                                          "; the shards are of two models, remove one"));
}

}  // namespace

// Which files have been checked; shared by copies of one object.
class StoredTensors::Checks {
 public:
  explicit Checks(std::function<absl::Status(const std::string& path)> check)
      : check_(std::move(check)) {}

  absl::Status Run(const std::string& path) {
    absl::MutexLock lock(&mutex_);
    if (passed_.count(path) != 0) return absl::OkStatus();
    FPO_RETURN_IF_ERROR(check_(path));
    passed_.insert(path);
    return absl::OkStatus();
  }

 private:
  const std::function<absl::Status(const std::string& path)> check_;
  absl::Mutex mutex_;
  std::set<std::string> passed_ ABSL_GUARDED_BY(mutex_);
};

void StoredTensors::CheckBeforeUse(std::function<absl::Status(const std::string& path)> check) {
  checks_ = std::make_shared<Checks>(std::move(check));
}

absl::Status StoredTensors::Check(const Part& part) const {
  return checks_ == nullptr ? absl::OkStatus() : checks_->Run(part.file->path());
}

absl::StatusOr<StoredTensors> StoredTensors::Open(const std::string& path) {
  StoredTensors tensors;
  FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
  FPO_RETURN_IF_ERROR(tensors.AddFile(file));
  return tensors;
}

absl::StatusOr<StoredTensors> StoredTensors::OpenPieces(const std::vector<std::string>& paths) {
  StoredTensors tensors;
  const auto world = static_cast<int64_t>(paths.size());
  for (int64_t rank = 0; rank < world; ++rank) {
    FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(paths[static_cast<size_t>(rank)]));
    FPO_RETURN_IF_ERROR(tensors.AddPieces(file, rank, world));
  }
  FPO_RETURN_IF_ERROR(tensors.CheckCovered());
  return tensors;
}

absl::Status StoredTensors::AddFile(const std::shared_ptr<const SafetensorsFile>& file) {
  for (const auto& [name, entry] : file->entries()) {
    const auto [it, added] =
        tensors_.emplace(name, Stored{entry.dtype, entry.shape, {Part{0, entry.Elements(), file}}});
    // Two files with one tensor are of two models; transformers would take the file that is last.
    if (!added) return InTwo(name, it->second.parts.front().file->path(), file->path());
  }
  files_.push_back(file);
  return absl::OkStatus();
}

absl::Status StoredTensors::AddPieces(const std::shared_ptr<const SafetensorsFile>& file,
                                      int64_t rank, int64_t world) {
  FPO_ASSIGN_OR_RETURN(const PieceIndex index, ReadPieceIndex(*file));
  if (rank == 0) set_ = index.id.set;
  if (index.id != PieceFileId{rank, world, set_}) {
    return absl::DataLossError(absl::StrCat(
        file->path(), " holds the part of rank ", index.id.rank, " of ", index.id.world, ", ",
        index.id.set, "; expected is that of rank ", rank, " of ", world, ", ", set_));
  }
  for (const auto& [name, place] : index.places) {
    const TensorEntry& entry = file->entries().at(name);
    const Part part{place.begin, place.begin + entry.shape[0], file};
    Stored& stored = tensors_[name];
    if (stored.parts.empty()) {
      stored.dtype = entry.dtype;
      stored.shape = place.shape;
    } else if (stored.dtype != entry.dtype || stored.shape != place.shape) {
      return absl::DataLossError(
          absl::StrCat("tensor \"", name, "\" is ", stored.dtype, " ", ShapeText(stored.shape),
                       " in ", stored.parts.front().file->path(), " and ", entry.dtype, " ",
                       ShapeText(place.shape), " in ", file->path()));
    }
    stored.parts.push_back(part);
  }
  files_.push_back(file);
  return absl::OkStatus();
}

absl::Status StoredTensors::CheckCovered() {
  for (auto& [name, stored] : tensors_) {
    std::vector<Part>& parts = stored.parts;
    std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    int64_t covered = 0;
    const Part* before = nullptr;
    for (const Part& part : parts) {
      if (part.begin < covered) {
        return absl::DataLossError(absl::StrCat(
            "elements ", part.begin, " to ", std::min(covered, part.end), " of tensor \"", name,
            "\" are in both ", before->file->path(), " and ", part.file->path()));
      }
      if (part.begin > covered) break;
      covered = part.end;
      before = &part;
    }
    const int64_t whole = ProductOf(stored.shape);
    if (covered == whole) continue;
    return absl::DataLossError(absl::StrCat(
        "tensor \"", name, "\" of ", whole, " elements is not whole: those from ", covered,
        " on are missing in ", files_.size(), " files such as ", files_.front()->path()));
  }
  return absl::OkStatus();
}

std::vector<std::string> StoredTensors::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, stored] : tensors_) names.push_back(name);
  return names;
}

absl::StatusOr<const StoredTensors::Stored*> StoredTensors::Find(const std::string& name) const {
  const auto it = tensors_.find(name);
  if (it != tensors_.end()) return &it->second;
  return absl::NotFoundError(
      absl::StrCat(files_.empty() ? "no file" : files_.front()->path(),
                   files_.size() > 1 ? absl::StrCat(" and ", files_.size() - 1, " more") : "",
                   " has tensor \"", name, "\""));
}

absl::StatusOr<TensorEntry> StoredTensors::Entry(const std::string& name) const {
  FPO_ASSIGN_OR_RETURN(const Stored* const stored, Find(name));
  TensorEntry entry{stored->dtype, stored->shape, 0, 0};
  for (const Part& part : stored->parts) {
    const TensorEntry& here = part.file->entries().at(name);
    entry.end += here.end - here.begin;
  }
  return entry;
}

absl::StatusOr<at::Tensor> StoredTensors::Tensor(const std::string& name) const {
  FPO_ASSIGN_OR_RETURN(const Stored* const stored, Find(name));
  if (stored->parts.size() == 1) {
    FPO_RETURN_IF_ERROR(Check(stored->parts.front()));
    FPO_ASSIGN_OR_RETURN(const at::Tensor all, stored->parts.front().file->Tensor(name));
    return all.view(stored->shape);
  }
  FPO_ASSIGN_OR_RETURN(const at::Tensor all, Range(name, 0, ProductOf(stored->shape)));
  return all.view(stored->shape);
}

absl::StatusOr<at::Tensor> StoredTensors::Range(const std::string& name, int64_t begin,
                                                int64_t end) const {
  FPO_ASSIGN_OR_RETURN(const Stored* const stored, Find(name));
  if (begin < 0 || end < begin || end > ProductOf(stored->shape)) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", name, "\" of shape ",
                                                   ShapeText(stored->shape), " has no elements ",
                                                   begin, " to ", end));
  }
  FPO_ASSIGN_OR_RETURN(const c10::ScalarType type, TensorTypeOf(stored->dtype));
  at::Tensor copy;
  for (const Part& part : stored->parts) {
    const int64_t from = std::max(begin, part.begin), to = std::min(end, part.end);
    if (from >= to) continue;
    FPO_RETURN_IF_ERROR(Check(part));
    FPO_ASSIGN_OR_RETURN(const at::Tensor there, part.file->Tensor(name));
    const at::Tensor here = there.view(-1).narrow(0, from - part.begin, to - from);
    if (from == begin && to == end) return here;
    if (!copy.defined()) copy = at::empty({end - begin}, at::TensorOptions().dtype(type));
    const size_t width = c10::elementSize(type);
    std::memcpy(
        static_cast<char*>(copy.mutable_data_ptr()) + static_cast<size_t>(from - begin) * width,
        here.const_data_ptr(), static_cast<size_t>(to - from) * width);
  }
  return copy.defined() ? copy : at::empty({0}, at::TensorOptions().dtype(type));
}

absl::StatusOr<std::vector<absl::string_view>> StoredTensors::Bytes(const std::string& name) const {
  FPO_ASSIGN_OR_RETURN(const Stored* const stored, Find(name));
  std::vector<absl::string_view> bytes;
  for (const Part& part : stored->parts) {
    FPO_RETURN_IF_ERROR(Check(part));
    FPO_ASSIGN_OR_RETURN(const absl::string_view here, part.file->Bytes(name));
    bytes.push_back(here);
  }
  return bytes;
}

absl::StatusOr<LazyTensors> StoredTensors::ForWriting() const {
  LazyTensors lazy;
  for (const auto& [name, stored] : tensors_) {
    FPO_ASSIGN_OR_RETURN(const c10::ScalarType type, TensorTypeOf(stored.dtype));
    lazy.emplace(name,
                 LazyTensor{type, stored.shape, [this, &name = name] { return Tensor(name); }});
  }
  return lazy;
}

void StoredTensors::Forget(const std::string& name) const {
  const auto found = Find(name);
  if (!found.ok()) return;
  for (const Part& part : (*found)->parts) part.file->Forget(name);
}

std::string StoredTensors::PathOf(const std::string& name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? "" : it->second.parts.front().file->path();
}

absl::Status StoredTensors::CheckUnchanged() const {
  for (const auto& file : files_) FPO_RETURN_IF_ERROR(file->CheckUnchanged());
  return absl::OkStatus();
}

}  // namespace fpo::train
