// libfpo_arrow.so: Parquet and Arrow through Apache Arrow (docs/decisions/0014).

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "train/tables/arrow_json.h"
#include "train/tables/table_plugin.h"

namespace fpo::train {
namespace {

constexpr int64_t kRowsPerBatch = 256;
constexpr int64_t kColumnBufferBytes = int64_t{1} << 20;
constexpr int64_t kMemoryMax = int64_t{4} << 30;
constexpr size_t kReasonBytes = 240;
constexpr char kCutShort[] = " (an incomplete copy?)";

// Arrow's words, without its class, its traces and the quoted bytes of long values.
std::string ReasonOf(const std::string& message) {
  std::string reason = message.substr(0, message.find('\n'));
  if (reason.size() > kReasonBytes) reason = reason.substr(0, kReasonBytes) + " ...";
  return reason;
}

// For all files of the process, and never destroyed: Arrow's threads may hold buffers longer than a
// file is open.
arrow::MemoryPool* Pool() {
  static auto* const pool = new arrow::CappedMemoryPool(arrow::system_memory_pool(), kMemoryMax);
  return pool;
}

std::nullptr_t Fail(TableFault* fault, TableFault why) {
  *fault = std::move(why);
  return nullptr;
}

TableFault Damaged(const std::string& why) { return {why, true}; }

TableFault FaultOf(const std::string& where, const arrow::Status& status) {
  return {where + ReasonOf(status.message()),
          !status.IsOutOfMemory() && !status.IsNotImplemented()};
}

// Batches of a file, one after the other.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Null at the end, and when `fault` is set.
  virtual std::shared_ptr<arrow::RecordBatch> Next(TableFault* fault) = 0;
};

class Rows : public TableRows {
 public:
  Rows(std::unique_ptr<BatchSource> source, int64_t row_bytes)
      : source_(std::move(source)), row_bytes_(row_bytes) {}

  bool Next(std::string* row, TableFault* fault) override {
    while (batch_ == nullptr || at_ == batch_->num_rows()) {
      batch_ = source_->Next(fault);
      at_ = 0;
      if (batch_ == nullptr) return false;
    }
    *row = RowJson(*batch_, at_++);
    ++row_;
    if (static_cast<int64_t>(row->size()) <= row_bytes_) return true;
    *fault = {"row " + std::to_string(row_) + " has more than " + std::to_string(row_bytes_) +
              " bytes"};
    return false;
  }

 private:
  std::unique_ptr<BatchSource> source_;
  const int64_t row_bytes_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t at_ = 0;   // the next row of the batch
  int64_t row_ = 0;  // of the file, from 1
};

TableFault SchemaFault(const arrow::Schema& schema) {
  for (const auto& field : schema.fields()) {
    if (IsTooDeep(*field->type())) {
      return {"the column \"" + field->name().substr(0, 80) + "\" is nested too deeply"};
    }
  }
  return {};
}

// ---- Parquet: one row group at a time, a few hundred rows of it decoded

class ParquetBatches : public BatchSource {
 public:
  explicit ParquetBatches(std::unique_ptr<parquet::arrow::FileReader> file)
      : file_(std::move(file)) {}

  std::shared_ptr<arrow::RecordBatch> Next(TableFault* fault) override {
    try {
      return NextBatch(fault);
    } catch (const std::exception& error) {  // parquet::ParquetException, std::bad_alloc
      return Fail(fault, Damaged(Where() + ReasonOf(error.what())));
    }
  }

 private:
  // "row group 3 of 8 (rows 2001 to 3000): "
  std::string Where() const {
    const int64_t rows = RowsOf(group_);
    return "row group " + std::to_string(group_ + 1) + " of " +
           std::to_string(file_->num_row_groups()) + " (rows " + std::to_string(before_ + 1) +
           " to " + std::to_string(before_ + rows) + "): ";
  }
  int64_t RowsOf(int group) const {
    return file_->parquet_reader()->metadata()->RowGroup(group)->num_rows();
  }

  std::shared_ptr<arrow::RecordBatch> NextBatch(TableFault* fault) {
    while (group_ < file_->num_row_groups()) {
      if (reader_ == nullptr) {
        auto reader = file_->GetRecordBatchReader({group_});
        if (!reader.ok()) return Fail(fault, FaultOf(Where(), reader.status()));
        reader_ = *std::move(reader);
        read_ = 0;
      }
      std::shared_ptr<arrow::RecordBatch> batch;
      arrow::Status status = reader_->ReadNext(&batch);
      if (status.ok() && batch != nullptr) status = batch->Validate();
      if (!status.ok()) return Fail(fault, FaultOf(Where(), status));
      if (batch != nullptr) {
        read_ += batch->num_rows();
        return batch;
      }
      if (read_ != RowsOf(group_)) {
        return Fail(fault, Damaged(Where() + "it holds " + std::to_string(read_) + " rows"));
      }
      before_ += read_;
      reader_.reset();
      ++group_;
    }
    return nullptr;
  }

  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<arrow::RecordBatchReader> reader_;  // of the row group
  int group_ = 0;
  int64_t before_ = 0;  // rows of earlier row groups
  int64_t read_ = 0;    // rows of this one
};

std::unique_ptr<BatchSource> OpenParquet(const std::shared_ptr<arrow::io::RandomAccessFile>& file,
                                         TableFault* fault) {
  parquet::ReaderProperties properties(Pool());
  properties.enable_buffered_stream();
  properties.set_buffer_size(kColumnBufferBytes);
  properties.set_page_checksum_verification(true);
  parquet::ArrowReaderProperties rows(/*use_threads=*/false);
  rows.set_batch_size(kRowsPerBatch);
  rows.set_pre_buffer(false);
  try {
    parquet::arrow::FileReaderBuilder builder;
    arrow::Status status = builder.Open(file, properties);
    std::unique_ptr<parquet::arrow::FileReader> reader;
    if (status.ok() && builder.raw_reader()->metadata()->is_encryption_algorithm_set()) {
      return Fail(fault, {"it is encrypted, which is not read; write it without encryption"});
    }
    if (status.ok()) {
      status = builder.memory_pool(Pool())->properties(rows)->Build(&reader);
    }
    std::shared_ptr<arrow::Schema> schema;
    if (status.ok()) status = reader->GetSchema(&schema);
    if (!status.ok()) return Fail(fault, FaultOf("the footer cannot be read: ", status));
    *fault = SchemaFault(*schema);
    if (!fault->why.empty()) return nullptr;
    return std::make_unique<ParquetBatches>(std::move(reader));
  } catch (const std::exception& error) {
    return Fail(fault, Damaged("the footer cannot be read: " + ReasonOf(error.what())));
  }
}

// ---- Arrow: the stream that datasets writes, or the file with a footer (Feather)

class ArrowBatches : public BatchSource {
 public:
  ArrowBatches(std::shared_ptr<arrow::ipc::RecordBatchStreamReader> stream,
               std::shared_ptr<arrow::ipc::RecordBatchFileReader> file)
      : stream_(std::move(stream)), file_(std::move(file)) {}

  std::shared_ptr<arrow::RecordBatch> Next(TableFault* fault) override {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status status;
    try {
      status = Read(&batch);
    } catch (const std::exception& error) {
      status = arrow::Status::Invalid(error.what());
    }
    ++batch_;
    if (status.ok()) return batch;
    *fault = FaultOf("record batch " + std::to_string(batch_) + ": ", status);
    return nullptr;
  }

 private:
  // Offsets, indices and texts come from the file as they are: all are checked.
  arrow::Status Read(std::shared_ptr<arrow::RecordBatch>* batch) {
    if (stream_ != nullptr) {
      ARROW_RETURN_NOT_OK(stream_->ReadNext(batch));
    } else if (batch_ < file_->num_record_batches()) {
      ARROW_ASSIGN_OR_RAISE(*batch, file_->ReadRecordBatch(batch_));
    }
    return *batch == nullptr ? arrow::Status::OK() : (*batch)->ValidateFull();
  }

  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> stream_;
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> file_;
  int batch_ = 0;
};

std::unique_ptr<BatchSource> OpenArrow(const std::shared_ptr<arrow::io::RandomAccessFile>& file,
                                       bool has_footer, TableFault* fault) {
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  options.memory_pool = Pool();
  options.use_threads = false;
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> stream;
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> whole;
  arrow::Status status;
  if (has_footer) {
    auto opened = arrow::ipc::RecordBatchFileReader::Open(file, options);
    status = opened.status();
    if (opened.ok()) whole = *std::move(opened);
  } else {
    auto opened = arrow::ipc::RecordBatchStreamReader::Open(file, options);
    status = opened.status();
    if (opened.ok()) stream = *std::move(opened);
  }
  if (!status.ok()) return Fail(fault, FaultOf("its schema cannot be read: ", status));
  *fault = SchemaFault(stream != nullptr ? *stream->schema() : *whole->schema());
  if (!fault->why.empty()) return nullptr;
  return std::make_unique<ArrowBatches>(std::move(stream), std::move(whole));
}

// ---- which of them

// `size` bytes at `offset`, fewer at the end of the file.
std::string Bytes(arrow::io::RandomAccessFile* file, int64_t offset, int64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  const auto got = file->ReadAt(std::max<int64_t>(0, offset), size, bytes.data());
  bytes.resize(got.ok() ? static_cast<size_t>(*got) : 0);
  return bytes;
}

std::unique_ptr<BatchSource> OpenBatches(const std::string& path, TableFault* fault) {
  const auto opened = arrow::io::ReadableFile::Open(path, Pool());
  if (!opened.ok()) return Fail(fault, FaultOf("", opened.status()));
  const std::shared_ptr<arrow::io::RandomAccessFile> file = *opened;
  const auto size = file->GetSize();
  if (!size.ok()) return Fail(fault, FaultOf("", size.status()));
  const std::string head = Bytes(file.get(), 0, 8);
  const std::string tail = Bytes(file.get(), *size - 8, 8);
  if (head.substr(0, 4) == "PAR1") {
    if (*size >= 12 && tail.substr(4) == "PAR1") return OpenParquet(file, fault);
    return Fail(fault, Damaged(std::string("the file does not end as Parquet does, with PAR1") +
                               kCutShort));
  }
  if (head.substr(0, 6) == "ARROW1") {
    if (tail.substr(2) == "ARROW1") return OpenArrow(file, true, fault);
    return Fail(fault, Damaged(std::string("the file does not end with ARROW1") + kCutShort));
  }
  if (head.substr(0, 4) != "\xFF\xFF\xFF\xFF") {
    return Fail(fault, Damaged("it begins neither as Parquet nor as Arrow"));
  }
  // Without this mark the rows could end anywhere between two batches.
  if (tail != std::string("\xFF\xFF\xFF\xFF\0\0\0\0", 8)) {
    return Fail(fault, Damaged(std::string("the stream has no end mark") + kCutShort));
  }
  const arrow::Status begin = file->Seek(0);
  if (!begin.ok()) return Fail(fault, FaultOf("", begin));
  return OpenArrow(file, false, fault);
}

}  // namespace
}  // namespace fpo::train

extern "C" __attribute__((visibility("default"))) fpo::train::TableRows* FpoOpenTableRows(
    const char* path, int64_t row_bytes_max, fpo::train::TableFault* fault) {
  try {
    auto batches = fpo::train::OpenBatches(path, fault);
    if (batches == nullptr) return nullptr;
    return new fpo::train::Rows(std::move(batches), row_bytes_max);
  } catch (const std::exception& error) {
    *fault = fpo::train::Damaged(fpo::train::ReasonOf(error.what()));
    return nullptr;
  }
}
