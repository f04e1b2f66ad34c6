#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/file_descriptor.h"

namespace fpo::train {

// A file of answers that grows by one row at a time and is complete after each: a list for *.json,
// else one row a line. Beside it, in PATH.settings.json, stand the settings that its rows were made
// with; rows made with others are never mixed. One process writes it at a time. Not thread-safe.
class AnswerFile {
 public:
  // Opens or creates it. A torn last row, of a process that was killed, is removed. `settings`: a
  // JSON object of texts and numbers. AlreadyExists: the file is there without settings, so
  // something else has made it. FailedPrecondition: its settings differ, and how; or another
  // process writes it. DataLoss: a row before the last is no JSON. Storage errors carry their exit
  // code.
  static absl::StatusOr<std::unique_ptr<AnswerFile>> Open(const std::string& path,
                                                          const std::string& settings);

  const std::vector<std::string>& rows() const { return rows_; }  // those that were there
  absl::Status Append(absl::string_view row);
  // Replaces the rows by the same ones in this order: order[i] is the place of the i-th, counted
  // over those that were there and those that were appended.
  absl::Status Reorder(const std::vector<size_t>& order);

 private:
  AnswerFile(std::string path, FileDescriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  absl::Status Load();
  absl::Status Replace();  // with rows_
  std::string TextOf(const std::vector<std::string>& rows) const;
  bool IsList() const;

  const std::string path_;
  FileDescriptor lock_;
  FileDescriptor file_;
  int64_t end_ = 0;  // where the next row goes
  std::vector<std::string> rows_;
};

}  // namespace fpo::train
