#include "train/formats/npz/zip_archive.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "common/files/lfs_pointer.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocatorSignature = 0x07064b50, kCentralSignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr size_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint64_t kGrowthMax = 16, kSmallBytes = 256 << 20;
constexpr size_t kCentralBytes = 46, kLocalBytes = 30;

absl::Status BrokenArchive(const std::string& path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(path, " is not a whole zip archive: ", what));
}

// Little-endian reads; the caller has checked that the bytes are there.
template <typename T>
T Get(absl::string_view bytes, uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

bool Inside(absl::string_view bytes, uint64_t offset, uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

struct Directory {
  uint64_t offset = 0, size = 0, count = 0;
};

absl::StatusOr<Directory> FindDirectory(absl::string_view bytes, const std::string& path) {
  if (bytes.size() < kEndBytes) return BrokenArchive(path, "no end record");
  const size_t lowest = bytes.size() - std::min<size_t>(bytes.size(), kEndBytes + 65535);
  size_t end = bytes.size() - kEndBytes;
  while (Get<uint32_t>(bytes, end) != kEndSignature) {
    if (end == lowest) return BrokenArchive(path, "no end record");
    --end;
  }
  Directory found{Get<uint32_t>(bytes, end + 16), Get<uint32_t>(bytes, end + 12),
                  Get<uint16_t>(bytes, end + 10)};
  const bool zip64 =
      found.offset == 0xFFFFFFFF || found.size == 0xFFFFFFFF || found.count == 0xFFFF;
  if (zip64 && end >= kLocatorBytes &&
      Get<uint32_t>(bytes, end - kLocatorBytes) == kLocatorSignature) {
    const auto at = Get<uint64_t>(bytes, end - kLocatorBytes + 8);
    if (!Inside(bytes, at, kEnd64Bytes) || Get<uint32_t>(bytes, at) != kEnd64Signature) {
      return BrokenArchive(path, "the zip64 end record is missing");
    }
    found = {Get<uint64_t>(bytes, at + 48), Get<uint64_t>(bytes, at + 40),
             Get<uint64_t>(bytes, at + 32)};
  }
  if (!Inside(bytes, found.offset, found.size)) {
    return BrokenArchive(path, "its central directory lies outside the file (truncated?)");
  }
  return found;
}

// Replaces sizes that did not fit in 32 bits by those of the zip64 extra field.
bool ReadZip64Extra(absl::string_view extra, uint64_t* size, uint64_t* compressed,
                    uint64_t* header) {
  while (extra.size() >= 4) {
    const auto id = Get<uint16_t>(extra, 0);
    const auto bytes = Get<uint16_t>(extra, 2);
    if (bytes > extra.size() - 4) return false;
    absl::string_view field = extra.substr(4, bytes);
    extra.remove_prefix(size_t{4} + bytes);
    if (id != 1) continue;
    for (uint64_t* value : {size, compressed, header}) {
      if (*value != 0xFFFFFFFF) continue;
      if (field.size() < 8) return false;
      *value = Get<uint64_t>(field, 0);
      field.remove_prefix(8);
    }
  }
  return true;
}

absl::StatusOr<std::vector<ZipMember>> ReadDirectory(absl::string_view bytes,
                                                     const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes, path));
  const absl::string_view table = bytes.substr(directory.offset, directory.size);
  std::vector<ZipMember> members;
  uint64_t stored = 0, claimed = 0;
  uint64_t at = 0;
  for (uint64_t i = 0; i < directory.count; ++i) {
    if (!Inside(table, at, kCentralBytes) || Get<uint32_t>(table, at) != kCentralSignature) {
      return BrokenArchive(path,
                           absl::StrCat("member ", i, " of ", directory.count, " is not listed"));
    }
    const auto flags = Get<uint16_t>(table, at + 8);
    const auto name_bytes = Get<uint16_t>(table, at + 28);
    const auto extra_bytes = Get<uint16_t>(table, at + 30);
    const auto comment_bytes = Get<uint16_t>(table, at + 32);
    const uint64_t tail = uint64_t{name_bytes} + extra_bytes + comment_bytes;
    if (!Inside(table, at + kCentralBytes, tail))
      return BrokenArchive(path, "a cut directory entry");
    ZipMember member;
    member.name = std::string(table.substr(at + kCentralBytes, name_bytes));
    member.method = Get<uint16_t>(table, at + 10);
    member.crc = Get<uint32_t>(table, at + 16);
    uint64_t compressed = Get<uint32_t>(table, at + 20), size = Get<uint32_t>(table, at + 24);
    uint64_t header = Get<uint32_t>(table, at + 42);
    if (!ReadZip64Extra(table.substr(at + kCentralBytes + name_bytes, extra_bytes), &size,
                        &compressed, &header)) {
      return BrokenArchive(path, absl::StrCat("bad zip64 field of ", member.name));
    }
    if ((flags & 1) != 0) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", member.name, " is encrypted"));
    }
    if (!Inside(bytes, header, kLocalBytes) || compressed > bytes.size()) {
      return BrokenArchive(path, absl::StrCat(member.name, " lies outside the file"));
    }
    // DEFLATE cannot shrink by more than 1032 to 1, so a larger claim is false and is not
    // allocated.
    if (size / 1040 > compressed) {
      return BrokenArchive(path,
                           absl::StrCat(member.name, " claims ", size, " bytes from ", compressed));
    }
    // Members share no bytes, and weights shrink by a tenth: a small file that names one member a
    // thousand times, or unpacks to zeros, must not fill the memory.
    stored += compressed;
    claimed += size;
    if (stored > bytes.size()) return BrokenArchive(path, "its members overlap");
    if (claimed > kGrowthMax * bytes.size() + kSmallBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " unpacks from ", bytes.size(), " to more than ", claimed,
                       " bytes, which no weights do: save it again without compression"));
    }
    member.compressed = static_cast<int64_t>(compressed);
    member.size = static_cast<int64_t>(size);
    member.header = static_cast<int64_t>(header);
    members.push_back(std::move(member));
    at += kCentralBytes + tail;
  }
  return members;
}

bool Inflate(absl::string_view input, std::string* output) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  size_t in = 0, out = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    const size_t give = std::min<size_t>(input.size() - in, 1u << 30);
    const size_t room = std::min<size_t>(output->size() - out, 1u << 30);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data() + in));
    stream.avail_in = static_cast<uInt>(give);
    stream.next_out = reinterpret_cast<Bytef*>(output->data() + out);
    stream.avail_out = static_cast<uInt>(room);
    result = inflate(&stream, Z_NO_FLUSH);
    const size_t took = give - stream.avail_in, made = room - stream.avail_out;
    in += took;
    out += made;
    if (result == Z_OK && took == 0 && made == 0) break;
  }
  inflateEnd(&stream);
  return result == Z_STREAM_END && in == input.size() && out == output->size();
}

uint32_t Crc32(absl::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

absl::StatusOr<ZipArchive> ZipArchive::Open(const std::string& path) {
  ZipArchive archive;
  FPO_ASSIGN_OR_RETURN(archive.file_, MappedFile::Open(path));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(archive.file_->bytes(), path));
  FPO_ASSIGN_OR_RETURN(archive.members_, ReadDirectory(archive.file_->bytes(), path));
  return archive;
}

absl::StatusOr<std::string> ZipArchive::Read(const ZipMember& member) const {
  const absl::string_view bytes = file_->bytes();
  const auto header = static_cast<uint64_t>(member.header);
  if (!Inside(bytes, header, kLocalBytes) || Get<uint32_t>(bytes, header) != kLocalSignature) {
    return BrokenArchive(file_->path(), absl::StrCat(member.name, " has no local header"));
  }
  // Sizes come from the directory: with a data descriptor the local header has zeros.
  const uint64_t start =
      header + kLocalBytes + Get<uint16_t>(bytes, header + 26) + Get<uint16_t>(bytes, header + 28);
  if (!Inside(bytes, start, static_cast<uint64_t>(member.compressed))) {
    return BrokenArchive(file_->path(),
                         absl::StrCat(member.name, " lies outside the file (truncated?)"));
  }
  const absl::string_view stored = bytes.substr(start, static_cast<size_t>(member.compressed));
  std::string content;
  if (member.method == 0) {
    if (member.size != member.compressed) {
      return BrokenArchive(file_->path(), absl::StrCat(member.name, " is stored with two sizes"));
    }
    content = std::string(stored);
  } else if (member.method == 8) {
    content.resize(static_cast<size_t>(member.size));
    if (!Inflate(stored, &content)) {
      return BrokenArchive(file_->path(), absl::StrCat(member.name, " does not decompress to ",
                                                       member.size, " bytes"));
    }
  } else {
    return absl::InvalidArgumentError(absl::StrCat(file_->path(), ": ", member.name,
                                                   " uses zip method ", member.method,
                                                   "; only stored and deflate are read"));
  }
  const uint32_t crc = Crc32(content);
  if (crc != member.crc) {
    return BrokenArchive(file_->path(), absl::StrCat(member.name, " has CRC ", absl::Hex(crc),
                                                     ", not ", absl::Hex(member.crc)));
  }
  return content;
}

}  // namespace fpo::train
