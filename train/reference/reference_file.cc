#include "train/reference/reference_file.h"

#include <filesystem>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

// An unreadable or foreign older file counts as absent: only this program writes it.
std::unique_ptr<RecordFile> OpenMatching(const ReferenceFileRequest& request) {
  if (!std::filesystem::exists(request.path)) return nullptr;
  auto file = RecordFile::Open(request.path);
  if (!file.ok() || !((*file)->recipe() == request.recipe)) return nullptr;
  return *std::move(file);
}

std::vector<Sequence> SequencesOf(absl::Span<const ReferenceResponse> responses,
                                  const std::vector<size_t>& positions) {
  std::vector<Sequence> sequences;
  for (const size_t position : positions) {
    sequences.push_back({responses[position].prompt, responses[position].response});
  }
  return sequences;
}

absl::Status AddRecord(const Digest& key, Record record, const Recipe& recipe,
                       RecordFileWriter* writer) {
  if (recipe.values == "float16") FPO_RETURN_IF_ERROR(RoundToHalf(&record));
  return AsStorageError(writer->Add(Pack(key, record)));
}

absl::Status CopyRecords(const RecordFile* from, RecordFileWriter* writer) {
  for (int64_t i = 0; from != nullptr && i < from->size(); ++i) {
    FPO_ASSIGN_OR_RETURN(const PackedRecord record, from->At(i));
    FPO_RETURN_IF_ERROR(AsStorageError(writer->Add(record)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteRecords(const std::string& path, const Recipe& recipe,
                          absl::Span<const ReferenceResponse> responses,
                          const std::vector<Record>& records) {
  auto writer = RecordFileWriter::Create(path, recipe);
  if (!writer.ok()) return AsStorageError(writer.status());
  Work work("writing records", static_cast<int64_t>(records.size()), "records");
  for (size_t i = 0; i < records.size(); ++i) {
    FPO_RETURN_IF_ERROR(AddRecord(responses[i].key, records[i], recipe, writer->get()));
    work.Advance();
  }
  return AsStorageError((*writer)->Finish());
}

absl::StatusOr<ReferenceFileResult> CompleteReferenceFile(
    const ReferenceFileRequest& request, const std::function<absl::StatusOr<Scorer>()>& make_scorer,
    const KeepScoring& keep) {
  const std::unique_ptr<RecordFile> older = OpenMatching(request);
  ReferenceFileResult result;
  std::vector<size_t> missing;
  for (size_t i = 0; i < request.responses.size(); ++i) {
    const bool there = older != nullptr && older->Contains(request.responses[i].key);
    if (!there) missing.push_back(i);
    result.reused += there ? 1 : 0;
  }
  if (missing.empty()) return result;
  const absl::Time start = absl::Now();
  FPO_ASSIGN_OR_RETURN(const Scorer scorer, make_scorer());
  FPO_ASSIGN_OR_RETURN(const std::vector<Record> scored,
                       scorer.Score(SequencesOf(request.responses, missing), keep));
  auto writer = RecordFileWriter::Create(request.path, request.recipe);
  if (!writer.ok()) return AsStorageError(writer.status());
  FPO_RETURN_IF_ERROR(CopyRecords(older.get(), writer->get()));
  Work work("writing records", static_cast<int64_t>(missing.size()), "records");
  for (size_t i = 0; i < missing.size(); ++i) {
    FPO_RETURN_IF_ERROR(
        AddRecord(request.responses[missing[i]].key, scored[i], request.recipe, writer->get()));
    work.Advance();
  }
  FPO_RETURN_IF_ERROR(AsStorageError((*writer)->Finish()));
  result.computed = static_cast<int64_t>(missing.size());
  result.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return result;
}

}  // namespace fpo::train
