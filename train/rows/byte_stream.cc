#include "train/rows/byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/files/data_file_bytes.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr size_t kStreamBufferBytes = size_t{1} << 18;
constexpr absl::string_view kGzip("\x1F\x8B", 2);
constexpr absl::string_view kZstd("\x28\xB5\x2F\xFD", 4);

// pzstd writes a skippable frame before each frame, which has the length of that one.
bool IsZstd(absl::string_view first) {
  constexpr absl::string_view kSkippable("\x2A\x4D\x18", 3);  // behind 0x50 to 0x5F
  if (absl::StartsWith(first, kZstd)) return true;
  return first.size() > 4 && (first[0] & 0xF0) == 0x50 && first.substr(1, 3) == kSkippable;
}

// The file as it is, with a buffer that the unpackers read from.
class RawFile : public ByteStream {
 public:
  RawFile(FileDescriptor file, std::string path) : path_(std::move(path)), file_(std::move(file)) {}

  absl::StatusOr<size_t> Read(char* bytes, size_t size) override {
    FPO_ASSIGN_OR_RETURN(const absl::string_view rest, Peek());
    const size_t taken = std::min(size, rest.size());
    std::memcpy(bytes, rest.data(), taken);
    Skip(taken);
    return taken;
  }

  // What is read but not yet taken; reads on when that is nothing. "" at the end.
  absl::StatusOr<absl::string_view> Peek() {
    if (at_ == buffer_.size()) {
      offset_ += static_cast<int64_t>(buffer_.size());
      buffer_.resize(kStreamBufferBytes);
      at_ = 0;
      ssize_t got = 0;
      do {
        got = read(file_.get(), buffer_.data(), buffer_.size());
      } while (got < 0 && errno == EINTR);
      if (got < 0) return PosixError(errno, "read", path_);
      buffer_.resize(static_cast<size_t>(got));
    }
    return absl::string_view(buffer_).substr(at_);
  }
  void Skip(size_t bytes) { at_ += bytes; }
  int64_t offset() const { return offset_ + static_cast<int64_t>(at_); }

  absl::Status Damaged(absl::string_view why) const {
    return absl::DataLossError(absl::StrCat(why, " at byte ", offset(), " of the file"));
  }

 private:
  const std::string path_;
  FileDescriptor file_;
  std::string buffer_;
  size_t at_ = 0;
  int64_t offset_ = 0;
};

constexpr char kCutOff[] = "the compressed stream ends early (an incomplete copy?)";

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<RawFile> file) : file_(std::move(file)) {
    inflateInit2(&zlib_, 15 + 16);
  }
  ~GzipStream() override { inflateEnd(&zlib_); }

  absl::StatusOr<size_t> Read(char* bytes, size_t size) override {
    zlib_.next_out = reinterpret_cast<Bytef*>(bytes);
    zlib_.avail_out = static_cast<uInt>(size);
    while (zlib_.avail_out == size) {
      FPO_ASSIGN_OR_RETURN(const absl::string_view input, file_->Peek());
      if (input.empty()) {
        if (inside_) return file_->Damaged(kCutOff);
        return size_t{0};
      }
      if (!inside_) FPO_RETURN_IF_ERROR(CheckNextMember(input));
      inside_ = true;
      zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
      zlib_.avail_in = static_cast<uInt>(input.size());
      const int code = inflate(&zlib_, Z_NO_FLUSH);
      file_->Skip(input.size() - zlib_.avail_in);
      if (code == Z_STREAM_END) {
        inside_ = false;
        inflateReset(&zlib_);
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return file_->Damaged(
            absl::StrCat("gzip: ", zlib_.msg != nullptr ? zlib_.msg : "damaged data"));
      }
    }
    return size - zlib_.avail_out;
  }

 private:
  absl::Status CheckNextMember(absl::string_view input) const {
    if (input[0] == kGzip[0]) return absl::OkStatus();
    return file_->Damaged("something that is not gzip follows the compressed stream");
  }

  std::unique_ptr<RawFile> file_;
  z_stream zlib_{};
  bool inside_ = false;  // of a member of the file
};

class ZstdStream : public ByteStream {
 public:
  explicit ZstdStream(std::unique_ptr<RawFile> file)
      : file_(std::move(file)), zstd_(ZSTD_createDStream()) {}
  ~ZstdStream() override { ZSTD_freeDStream(zstd_); }

  absl::StatusOr<size_t> Read(char* bytes, size_t size) override {
    ZSTD_outBuffer out{bytes, size, 0};
    while (out.pos == 0) {
      FPO_ASSIGN_OR_RETURN(const absl::string_view input, file_->Peek());
      if (input.empty() && !inside_) return size_t{0};
      ZSTD_inBuffer in{input.data(), input.size(), 0};
      const size_t code = ZSTD_decompressStream(zstd_, &out, &in);
      file_->Skip(in.pos);
      if (ZSTD_isError(code) != 0) {
        return file_->Damaged(absl::StrCat("Zstandard: ", ZSTD_getErrorName(code)));
      }
      inside_ = code != 0;
      if (input.empty() && out.pos == 0 && inside_) return file_->Damaged(kCutOff);
    }
    return out.pos;
  }

 private:
  std::unique_ptr<RawFile> file_;
  ZSTD_DStream* zstd_;
  bool inside_ = false;  // of a frame, or with output not yet given
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> ByteStream::Open(const std::string& path) {
  FileDescriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.is_open()) return PosixError(errno, "open", path);
  auto file = std::make_unique<RawFile>(std::move(descriptor), path);
  FPO_ASSIGN_OR_RETURN(const absl::string_view first, file->Peek());
  FPO_RETURN_IF_ERROR(CheckDataFileBytes(first, path));
  if (absl::StartsWith(first, kGzip)) return std::make_unique<GzipStream>(std::move(file));
  if (IsZstd(first)) return std::make_unique<ZstdStream>(std::move(file));
  return file;
}

}  // namespace fpo::train
