// Record files and packed records. The first byte picks what the rest is: a record, packed records,
// a record file but for its SHA-256, or the records and the end of a file whose digests are right.

#include <cstdint>
#include <string>

#include "common/hash.h"
#include "common/reference/byte_reader.h"
#include "common/reference/packed_record.h"
#include "common/reference/recipe.h"
#include "common/reference/record.h"
#include "common/reference/record_file.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

namespace {

void OneRecord(absl::string_view bytes) {
  const auto record = fpo::DecodeRecord(bytes);
  // Equal records have equal bytes, which their digests prove.
  if (record.ok()) FUZZ_CHECK(fpo::EncodeRecord(*record) == bytes);
}

void Packed(absl::string_view bytes) {
  const auto records = fpo::Unpack(bytes);
  if (!records.ok()) return;
  std::string again;
  for (const fpo::PackedRecord& record : *records) fpo::AppendPacked(record, &again);
  FUZZ_CHECK(again == bytes);
}

void OpenFile(std::string bytes) {
  bytes += fpo::ToBytes(fpo::Sha256Of(bytes));
  const std::string path = fpo::fuzz::WriteInput("records.fpr", bytes);
  const auto recipe = fpo::RecordFile::PeekRecipe(path);
  const auto file = fpo::RecordFile::Open(path);
  if (!file.ok()) return;
  FUZZ_CHECK(recipe.ok());
  for (int64_t i = 0; i < (*file)->size(); ++i) {
    const fpo::Digest& key = (*file)->KeyAt(i);
    FUZZ_CHECK((*file)->At(i).ok() && (*file)->Contains(key) && (*file)->FindPacked(key).ok());
    const auto record = (*file)->Find(key);
    if (record.ok()) FUZZ_CHECK(fpo::CheckBelongs(*record, (*file)->recipe()).ok());
  }
}

// Recipe of a margin-only record file; the fuzzer cannot guess a digest.
const std::string& Head() {
  static const std::string head = [] {
    fpo::Recipe recipe;
    recipe.model_digest = fpo::ToHex(fpo::Sha256Of("model"));
    recipe.forward = "gemma-1";
    recipe.dtype = "float32";
    recipe.device = "cpu";
    const std::string canonical = fpo::CanonicalRecipe(recipe);
    std::string bytes = "FPOREC1\n";
    fpo::AppendLittleEndian(static_cast<uint32_t>(canonical.size()), &bytes);
    return bytes + canonical;
  }();
  return head;
}

// A count of records, each as a length and its bytes, then whatever is to follow them.
void WithRightDigests(absl::string_view bytes) {
  fpo::ByteReader reader(bytes);
  std::string file = Head();
  uint8_t count = 0, size = 0;
  if (!reader.Read(&count)) return;
  for (uint8_t i = 0; i < count % 8; ++i) {
    absl::string_view record;
    if (!reader.Read(&size) || !reader.ReadBytes(size, &record)) return;
    fpo::AppendPacked({fpo::Sha256Of(std::string(1, static_cast<char>(i))), fpo::Sha256Of(record),
                       std::string(record)},
                      &file);
  }
  absl::string_view rest;
  reader.ReadBytes(reader.remaining(), &rest);
  // The index and the two numbers of the end may count from where they stand.
  std::string end(rest);
  if (end.size() >= 16 && (count & 0x80) != 0) {
    std::string offset;
    fpo::AppendLittleEndian(static_cast<uint64_t>(file.size()), &offset);
    end.replace(end.size() - 16, 8, offset);
  }
  OpenFile(file + end);
}

}  // namespace

FUZZ_TARGET(records) {
  if (size == 0) return 0;
  const absl::string_view bytes = fpo::fuzz::Text(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      OneRecord(bytes);
      break;
    case 1:
      Packed(bytes);
      break;
    case 2:
      OpenFile(std::string(bytes));
      break;
    default:
      WithRightDigests(bytes);
  }
  return 0;
}
