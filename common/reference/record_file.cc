#include "common/reference/record_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/reference/byte_reader.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr absl::string_view kMagic = "FPOREC1\n";
constexpr size_t kDigestBytes = std::tuple_size_v<Digest>;
constexpr size_t kFooterBytes = 2 * sizeof(uint64_t) + kDigestBytes;

}  // namespace

// ---- writing

struct RecordFileWriter::State {
  ~State() {
    if (file != nullptr) std::fclose(file);
    if (!finished) std::remove(part.c_str());
  }

  absl::Status Write(absl::string_view bytes) {
    FPO_RETURN_IF_ERROR(broken);
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) {
      return broken = PosixError(errno, "write", part);
    }
    hash.Update(bytes);
    offset += bytes.size();
    return absl::OkStatus();
  }

  std::string path;
  std::string part;
  Recipe recipe;
  std::FILE* file = nullptr;
  Sha256 hash;
  uint64_t offset = 0;
  std::map<Digest, uint32_t> positions;
  bool finished = false;
  absl::Status broken;  // part of a record may be in the file: nothing more is written
};

RecordFileWriter::RecordFileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordFileWriter::~RecordFileWriter() = default;

absl::StatusOr<std::unique_ptr<RecordFileWriter>> RecordFileWriter::Create(const std::string& path,
                                                                           const Recipe& recipe) {
  const std::string canonical = CanonicalRecipe(recipe);
  FPO_RETURN_IF_ERROR(ParseRecipe(canonical).status());
  auto state = std::make_unique<State>();
  state->path = path;
  state->part = path + ".part";
  state->recipe = recipe;
  state->file = std::fopen(state->part.c_str(), "wbe");
  if (state->file == nullptr) return PosixError(errno, "open", state->part);
  std::string header(kMagic);
  AppendLittleEndian(static_cast<uint32_t>(canonical.size()), &header);
  FPO_RETURN_IF_ERROR(state->Write(header + canonical));
  return std::unique_ptr<RecordFileWriter>(new RecordFileWriter(std::move(state)));
}

absl::Status RecordFileWriter::Add(const PackedRecord& record) {
  const std::string what = absl::StrCat("add record ", ToHex(record.key), " to ", state_->path);
  const absl::StatusOr<Record> decoded = DecodeRecord(record.bytes);
  if (!decoded.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", decoded.status().message()));
  }
  const absl::Status belongs = CheckBelongs(*decoded, state_->recipe);
  if (!belongs.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", belongs.message()));
  }
  if (record.bytes.size() > kRecordBytesMax || Sha256Of(record.bytes) != record.sha256) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": longer than ", kRecordBytesMax, " bytes or not its SHA-256"));
  }
  if (state_->positions.size() == std::numeric_limits<uint32_t>::max()) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": the file is full"));
  }
  FPO_RETURN_IF_ERROR(state_->broken);
  const auto position = static_cast<uint32_t>(state_->positions.size());
  if (!state_->positions.emplace(record.key, position).second) {
    return absl::AlreadyExistsError(absl::StrCat(what, ": it is there already"));
  }
  std::string packed;
  AppendPacked(record, &packed);
  return state_->Write(packed);
}

absl::Status RecordFileWriter::Finish() {
  if (state_->file == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(state_->path, " is finished already"));
  }
  std::string tail;
  for (const auto& [key, position] : state_->positions) AppendLittleEndian(position, &tail);
  AppendLittleEndian(state_->offset, &tail);
  AppendLittleEndian(static_cast<uint64_t>(state_->positions.size()), &tail);
  FPO_RETURN_IF_ERROR(state_->Write(tail));
  FPO_RETURN_IF_ERROR(state_->Write(ToBytes(std::exchange(state_->hash, Sha256()).Finish())));
  if (std::fflush(state_->file) != 0) return PosixError(errno, "write", state_->part);
  if (fsync(fileno(state_->file)) != 0) return PosixError(errno, "fsync", state_->part);
  const int closed = std::fclose(std::exchange(state_->file, nullptr));
  if (closed != 0) return PosixError(errno, "close", state_->part);
  if (std::rename(state_->part.c_str(), state_->path.c_str()) != 0) {
    return PosixError(errno, "rename", state_->path);
  }
  state_->finished = true;
  return SyncParentFolder(state_->path);
}

// ---- reading

struct RecordFile::State {
  ~State() {
    if (data != MAP_FAILED) munmap(data, size);
  }

  absl::string_view Bytes() const { return {static_cast<const char*>(data), size}; }
  absl::Status Damaged(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("record file ", path, ": ", what,
                                            "; remove it, and it will be computed again"));
  }

  absl::Status NoRecord(const Digest& key) const {
    return absl::NotFoundError(absl::StrCat("record file ", path, " of ", records.size(),
                                            " records has no record ", ToHex(key)));
  }

  absl::Status Map();
  absl::Status ReadHeader(absl::string_view* body);
  absl::Status ReadFooter(absl::string_view* body, absl::string_view* index);
  absl::Status ReadRecords(absl::string_view records);
  absl::Status ReadIndex(absl::string_view index);

  // The first position, in key order, whose record's key is not below `key`.
  std::vector<uint32_t>::const_iterator LowerBound(const Digest& key) const {
    return std::lower_bound(
        by_key.begin(), by_key.end(), key,
        [this](uint32_t position, const Digest& k) { return records[position].key < k; });
  }
  const PackedView* Find(const Digest& key) const {
    const auto found = LowerBound(key);
    if (found == by_key.end() || records[*found].key != key) return nullptr;
    return &records[*found];
  }

  std::string path;
  void* data = MAP_FAILED;
  size_t size = 0;
  uint64_t count = 0;
  Recipe recipe;
  std::vector<PackedView> records;  // in file order, pointing into `data`
  std::vector<uint32_t> by_key;     // positions in `records`
};

absl::Status RecordFile::State::Map() {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return PosixError(errno, "open", path);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return PosixError(errno, "fstat", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  }
  if (static_cast<size_t>(info.st_size) < kMagic.size() + 4 + kFooterBytes) {
    return Damaged(absl::StrCat("truncated, ", info.st_size, " bytes"));
  }
  size = static_cast<size_t>(info.st_size);
  data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return PosixError(errno, "mmap", path);
  return absl::OkStatus();
}

absl::Status RecordFile::State::ReadHeader(absl::string_view* body) {
  ByteReader reader(Bytes());
  absl::string_view magic, canonical;
  uint32_t recipe_bytes = 0;
  if (!reader.ReadBytes(kMagic.size(), &magic) || magic != kMagic) {
    return Damaged("it does not begin as a record file");
  }
  if (!reader.Read(&recipe_bytes) || !reader.ReadBytes(recipe_bytes, &canonical) ||
      reader.remaining() < kFooterBytes) {
    return Damaged(absl::StrCat("truncated within its recipe of ", recipe_bytes, " bytes"));
  }
  absl::StatusOr<Recipe> parsed = ParseRecipe(canonical);
  if (!parsed.ok()) return Damaged(parsed.status().message());
  recipe = *std::move(parsed);
  *body = Bytes();
  body->remove_prefix(size - reader.remaining());
  return absl::OkStatus();
}

// Narrows *body to the records and returns the index after them.
absl::Status RecordFile::State::ReadFooter(absl::string_view* body, absl::string_view* index) {
  const absl::string_view all = Bytes();
  ByteReader reader(all.substr(size - kFooterBytes));
  uint64_t index_offset = 0;
  Digest digest{};
  if (!reader.Read(&index_offset) || !reader.Read(&count) || !reader.Read(&digest)) {
    return Damaged("truncated within its footer");
  }
  if (Sha256Of(all.substr(0, size - kDigestBytes)) != digest) {
    return Damaged("its bytes do not match its SHA-256 (truncated or damaged)");
  }
  const size_t records_begin = size - body->size();
  const size_t index_end = size - kFooterBytes;
  if (index_offset < records_begin || index_offset > index_end ||
      (index_end - index_offset) % sizeof(uint32_t) != 0 ||
      (index_end - index_offset) / sizeof(uint32_t) != count) {
    return Damaged(absl::StrCat("an index at byte ", index_offset, " for ", count, " records"));
  }
  *index = all.substr(index_offset, index_end - index_offset);
  *body = all.substr(records_begin, index_offset - records_begin);
  return absl::OkStatus();
}

absl::Status RecordFile::State::ReadRecords(absl::string_view body) {
  records.reserve(count);  // backed by that many index entries
  while (!body.empty()) {
    const absl::StatusOr<PackedView> record = TakePacked(&body);
    if (!record.ok()) return Damaged(record.status().message());
    records.push_back(*record);
  }
  if (records.size() != count) {
    return Damaged(absl::StrCat(records.size(), " records, its footer says ", count));
  }
  return absl::OkStatus();
}

// Strictly increasing keys over as many entries as records: a permutation without duplicates.
absl::Status RecordFile::State::ReadIndex(absl::string_view index) {
  ByteReader reader(index);
  by_key.resize(count);
  for (size_t i = 0; i < by_key.size(); ++i) {
    if (!reader.Read(&by_key[i]) || by_key[i] >= count ||
        (i > 0 && !(records[by_key[i - 1]].key < records[by_key[i]].key))) {
      return Damaged(absl::StrCat("its index is out of order at entry ", i));
    }
  }
  return absl::OkStatus();
}

RecordFile::RecordFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordFile::~RecordFile() = default;

absl::StatusOr<std::unique_ptr<RecordFile>> RecordFile::Open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  absl::string_view body, index;
  FPO_RETURN_IF_ERROR(state->Map());
  FPO_RETURN_IF_ERROR(state->ReadHeader(&body));
  FPO_RETURN_IF_ERROR(state->ReadFooter(&body, &index));
  FPO_RETURN_IF_ERROR(state->ReadRecords(body));
  FPO_RETURN_IF_ERROR(state->ReadIndex(index));
  return std::unique_ptr<RecordFile>(new RecordFile(std::move(state)));
}

absl::StatusOr<Recipe> RecordFile::PeekRecipe(const std::string& path) {
  State state;
  state.path = path;
  absl::string_view body;
  FPO_RETURN_IF_ERROR(state.Map());
  FPO_RETURN_IF_ERROR(state.ReadHeader(&body));
  return std::move(state.recipe);
}

const Recipe& RecordFile::recipe() const { return state_->recipe; }
int64_t RecordFile::size() const { return static_cast<int64_t>(state_->records.size()); }

absl::StatusOr<PackedRecord> RecordFile::At(int64_t index) const {
  if (index < 0 || index >= size()) {
    return absl::OutOfRangeError(
        absl::StrCat("record ", index, " of ", size(), " in ", state_->path));
  }
  const PackedView& view = state_->records[static_cast<size_t>(index)];
  return PackedRecord{view.key, view.sha256, std::string(view.bytes)};
}

const Digest& RecordFile::KeyAt(int64_t index) const {
  return state_->records[static_cast<size_t>(index)].key;
}

absl::StatusOr<PackedRecord> RecordFile::FindPacked(const Digest& key) const {
  const PackedView* view = state_->Find(key);
  if (view == nullptr) return state_->NoRecord(key);
  return PackedRecord{view->key, view->sha256, std::string(view->bytes)};
}

absl::StatusOr<Record> RecordFile::Find(const Digest& key) const {
  const PackedView* view = state_->Find(key);
  if (view == nullptr) return state_->NoRecord(key);
  absl::StatusOr<Record> record = DecodeRecord(view->bytes);
  if (!record.ok()) return state_->Damaged(record.status().message());
  const absl::Status belongs = CheckBelongs(*record, state_->recipe);
  if (!belongs.ok()) {
    return state_->Damaged(absl::StrCat("record ", ToHex(key), ": ", belongs.message()));
  }
  return record;
}

bool RecordFile::Contains(const Digest& key) const { return state_->Find(key) != nullptr; }

}  // namespace fpo
