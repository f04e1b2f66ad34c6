#include "train/formats/npz/zip_writer.h"

#include <algorithm>
#include <utility>

#include <zlib.h>

#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr uint64_t kMax32 = 0xFFFFFFFF;
constexpr uint16_t kDate1980 = 0x21;  // 1 January 1980: equal content gives equal bytes

void Put(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

uint64_t Clip32(uint64_t value) { return std::min(value, kMax32); }

// The fields that the local and the central header share.
void PutCommon(std::string* out, const ZipMember& member, bool zip64) {
  const auto size = static_cast<uint64_t>(member.size);
  Put(out, zip64 ? 45 : 20, 2);
  Put(out, 0, 2);  // flags
  Put(out, 0, 2);  // stored
  Put(out, 0, 2);  // time
  Put(out, kDate1980, 2);
  Put(out, member.crc, 4);
  Put(out, zip64 ? kMax32 : size, 4);
  Put(out, zip64 ? kMax32 : size, 4);
  Put(out, member.name.size(), 2);
}

std::string LocalHeader(const ZipMember& member) {
  const bool zip64 = static_cast<uint64_t>(member.size) >= kMax32;
  std::string out;
  Put(&out, 0x04034b50, 4);
  PutCommon(&out, member, zip64);
  Put(&out, zip64 ? 20 : 0, 2);
  out += member.name;
  if (zip64) {
    Put(&out, 1, 2);
    Put(&out, 16, 2);
    Put(&out, static_cast<uint64_t>(member.size), 8);
    Put(&out, static_cast<uint64_t>(member.size), 8);
  }
  return out;
}

std::string CentralHeader(const ZipMember& member) {
  const auto size = static_cast<uint64_t>(member.size);
  const auto header = static_cast<uint64_t>(member.header);
  const bool big = size >= kMax32, far = header >= kMax32;
  std::string extra;
  if (big || far) {
    Put(&extra, 1, 2);
    Put(&extra, (big ? 16 : 0) + (far ? 8 : 0), 2);
    if (big) {
      Put(&extra, size, 8);
      Put(&extra, size, 8);
    }
    if (far) Put(&extra, header, 8);
  }
  std::string out;
  Put(&out, 0x02014b50, 4);
  Put(&out, 45, 2);  // made by
  PutCommon(&out, member, big);
  Put(&out, extra.size(), 2);
  Put(&out, 0, 2);  // comment
  Put(&out, 0, 2);  // disk
  Put(&out, 0, 2);  // internal attributes
  Put(&out, 0, 4);  // external attributes
  Put(&out, Clip32(header), 4);
  return out + member.name + extra;
}

std::string EndRecords(uint64_t count, uint64_t offset, uint64_t size) {
  std::string out;
  if (count >= 0xFFFF || offset >= kMax32 || size >= kMax32) {
    Put(&out, 0x06064b50, 4);
    Put(&out, 44, 8);
    Put(&out, 45, 2);
    Put(&out, 45, 2);
    Put(&out, 0, 8);  // this disk, directory disk
    Put(&out, count, 8);
    Put(&out, count, 8);
    Put(&out, size, 8);
    Put(&out, offset, 8);
    Put(&out, 0x07064b50, 4);
    Put(&out, 0, 4);
    Put(&out, offset + size, 8);
    Put(&out, 1, 4);
  }
  Put(&out, 0x06054b50, 4);
  Put(&out, 0, 4);
  Put(&out, std::min<uint64_t>(count, 0xFFFF), 2);
  Put(&out, std::min<uint64_t>(count, 0xFFFF), 2);
  Put(&out, Clip32(size), 4);
  Put(&out, Clip32(offset), 4);
  Put(&out, 0, 2);
  return out;
}

}  // namespace

absl::StatusOr<ZipWriter> ZipWriter::Create(const std::string& path) {
  ZipWriter writer;
  FPO_ASSIGN_OR_RETURN(writer.file_, DurableFile::Create(path));
  return writer;
}

absl::Status ZipWriter::Add(const std::string& name, absl::string_view bytes) {
  ZipMember member;
  member.name = name;
  member.crc =
      static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  member.size = member.compressed = static_cast<int64_t>(bytes.size());
  member.header = file_->size();
  FPO_RETURN_IF_ERROR(file_->Append(LocalHeader(member)));
  FPO_RETURN_IF_ERROR(file_->Append(bytes));
  members_.push_back(std::move(member));
  return absl::OkStatus();
}

absl::Status ZipWriter::Finish() {
  const auto offset = static_cast<uint64_t>(file_->size());
  for (const ZipMember& member : members_) {
    FPO_RETURN_IF_ERROR(file_->Append(CentralHeader(member)));
  }
  const uint64_t size = static_cast<uint64_t>(file_->size()) - offset;
  FPO_RETURN_IF_ERROR(file_->Append(EndRecords(members_.size(), offset, size)));
  return file_->Finish();
}

}  // namespace fpo::train
