#include "train/saving/rank_checkpoints.h"

#include <c10/util/Exception.h>

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/failpoint.h"
#include "common/observe/work.h"
#include "common/outputs/output_lock.h"
#include "common/status_macros.h"
#include "train/device/process_memory.h"
#include "train/events/exit_status.h"
#include "train/saving/gather_texts.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

constexpr char kBarrier[] = "writing a checkpoint";
constexpr char kWrote[] = "wrote\n";
constexpr char kFailed[] = "failed\n";

double SecondsAgo(absl::Time start) { return absl::ToDoubleSeconds(absl::Now() - start); }

int64_t BytesOf(const std::vector<TensorPiece>& pieces) {
  int64_t bytes = 0;
  for (const TensorPiece& piece : pieces) bytes += static_cast<int64_t>(piece.values.nbytes());
  return bytes;
}

// What a rank tells the others: its files, a line each, or why there are none.
std::string TellFiles(const absl::StatusOr<std::vector<CheckpointFile>>& files) {
  if (!files.ok()) return absl::StrCat(kFailed, files.status().message());
  std::vector<std::string> lines;
  for (const CheckpointFile& file : *files) {
    lines.push_back(absl::StrCat(file.name, " ", file.bytes, " ", ToHex(file.sha256)));
  }
  return kWrote + absl::StrJoin(lines, "\n");
}

absl::StatusOr<std::vector<CheckpointFile>> ToldFiles(absl::string_view text) {
  if (absl::ConsumePrefix(&text, kFailed)) return absl::UnavailableError(text);
  if (!absl::ConsumePrefix(&text, kWrote)) return absl::InternalError(absl::StrCat("says ", text));
  std::vector<CheckpointFile> files;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    CheckpointFile file;
    if (words.size() != 3 || !absl::SimpleAtoi(words[1], &file.bytes)) {
      return absl::InternalError(absl::StrCat("describes a file as ", line));
    }
    file.name = words[0];
    FPO_ASSIGN_OR_RETURN(file.sha256, DigestFromHex(words[2]));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

RankCheckpoints::RankCheckpoints(std::string out, const BackgroundCheckpoints::Options& options,
                                 EventSink& events, ProcessGroup& group)
    : out_(out),
      options_(options),
      events_(events),
      group_(group),
      alone_(out, options, events),
      writer_(std::move(out), options.writer) {}

std::string RankCheckpoints::What() const {
  return absl::StrCat("checkpoint of step ", pending_->written.step);
}

absl::StatusOr<std::string> RankCheckpoints::FindFolder() {
  std::string note;
  if (group_.world() == 1) return note;
  const std::optional<OutputHolder> holder = LastHolderOf(out_);
  const std::string host = HolderOf("").host;
  FPO_ASSIGN_OR_RETURN(
      const std::vector<std::string> seen,
      GatherTexts(absl::StrCat(host, "\n", holder.has_value() ? holder->nonce : ""), group_));
  const auto nonce_of = [](absl::string_view text) { return text.substr(text.find('\n') + 1); };
  shared_ = !nonce_of(seen[0]).empty();
  on_this_host_ = 0;
  for (size_t rank = 0; rank < seen.size(); ++rank) {
    on_this_host_ += absl::StartsWith(seen[rank], host + "\n");
    if (nonce_of(seen[rank]) == nonce_of(seen[0])) continue;
    shared_ = false;
    note = absl::StrCat("rank ", rank, " does not see the output folder ", out_,
                        " of rank 0, which therefore writes the checkpoints alone; on a file "
                        "system that all hosts share each rank writes a part of them");
  }
  return note;
}

absl::Status RankCheckpoints::Write(const CheckpointContent& content, std::optional<double> score,
                                    bool last) {
  if (shared_) {
    const int64_t rank = group_.rank(), world = group_.world();
    return WriteShards({content.step, rank, world, CutForRank(content.model, rank, world),
                        CutForRank(content.optimizer, rank, world)},
                       content.state_json, score, last);
  }
  if (Leads()) FPO_RETURN_IF_ERROR(alone_.Write(content, score, last));
  return group_.Barrier(kBarrier);
}

// The name of the folder that the first rank has made; its error is every rank's.
absl::StatusOr<std::string> RankCheckpoints::Begin(int64_t step) {
  absl::StatusOr<std::string> begun = std::string();
  if (Leads()) begun = writer_.Begin(step);
  const std::string own = begun.ok() ? kWrote + fs::path(*begun).filename().string()
                                     : absl::StrCat(kFailed, begun.status().message());
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> texts, GatherTexts(own, group_));
  absl::string_view text = texts[0];
  if (absl::ConsumePrefix(&text, kFailed)) return FailWith(ExitCode::kStorage, text);
  absl::ConsumePrefix(&text, kWrote);
  return absl::StrCat(out_, "/checkpoints/", text);
}

// None when memory has no room for it and those of the other ranks of this host.
std::optional<CheckpointShard> RankCheckpoints::CopyOf(const CheckpointShard& shard) const {
  const int64_t bytes = BytesOf(shard.model) + BytesOf(shard.optimizer);
  const int64_t room = options_.memory_bytes.value_or(AvailableMemoryBytes()) / on_this_host_;
  if (bytes + bytes / 8 > room) return std::nullopt;  // the next step may need a little more
  CheckpointShard copy = shard;
  try {
    for (std::vector<TensorPiece>* pieces : {&copy.model, &copy.optimizer}) {
      for (TensorPiece& piece : *pieces) piece.values = HostCopy(piece.values);
    }
  } catch (const c10::OutOfMemoryError&) {
    return std::nullopt;
  }
  return copy;
}

absl::Status RankCheckpoints::WriteShards(CheckpointShard shard, const std::string& state_json,
                                          std::optional<double> score, bool last) {
  if (!shared_) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the ranks of this run hold parts of its state and do not see one output folder ", out_,
        "; put it on a file system that all hosts share"));
  }
  FPO_RETURN_IF_ERROR(Finish());
  const absl::Time start = absl::Now();
  FPO_ASSIGN_OR_RETURN(const std::string building, Begin(shard.step));
  pending_.emplace();
  pending_->written = {shard.step, group_.world(), {}, state_json, score};
  pending_->building = building;
  pending_->start = start;
  std::optional<CheckpointShard> copy;
  if (options_.background && !last) copy = CopyOf(shard);
  // A rank without room for a copy writes now; the others need not wait for it.
  if (copy.has_value()) {
    side_.Start([this, copy = *std::move(copy)] {
      pending_->files = WriteShard(copy, pending_->building);
      return pending_->files.status();
    });
  } else {
    pending_->files = WriteShard(shard, building);
  }
  seconds_ += SecondsAgo(start);
  return options_.background && !last ? absl::OkStatus() : Finish();
}

// What went wrong, also an exception, is told to all ranks.
void RankCheckpoints::CollectWrite() {
  if (!side_.running()) return;
  const absl::Status wrote = side_.Wait(What());
  if (!wrote.ok()) pending_->files = wrote;
}

absl::Status RankCheckpoints::Poll() {
  if (!pending_.has_value()) return alone_.Poll();
  std::vector<double> done = {side_.running() && !side_.done() ? 0.0 : 1.0};
  FPO_RETURN_IF_ERROR(group_.Sum(&done));
  if (done[0] < static_cast<double>(group_.world())) return absl::OkStatus();
  return Publish();
}

absl::Status RankCheckpoints::Finish() {
  if (!pending_.has_value()) return alone_.Finish();
  const absl::Time start = absl::Now();
  CollectWrite();
  FPO_RETURN_IF_ERROR(group_.Barrier(kBarrier));
  FPO_RETURN_IF_ERROR(Publish());
  const absl::Status met = group_.Barrier("publishing a checkpoint");
  seconds_ += SecondsAgo(start);
  return met;
}

void RankCheckpoints::Abandon() {
  if (!pending_.has_value()) {
    alone_.Finish().IgnoreError();
    return;
  }
  CollectWrite();
  pending_.reset();
}

// All ranks have written or failed to.
absl::Status RankCheckpoints::Publish() {
  CollectWrite();
  FPO_FAILPOINT("checkpoint.before_exchange");
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                       GatherTexts(TellFiles(pending_->files), group_));
  FPO_FAILPOINT("checkpoint.after_exchange");
  const absl::Status published = PublishAll(texts);
  pending_.reset();
  return published;
}

absl::Status RankCheckpoints::PublishAll(const std::vector<std::string>& texts) {
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    const auto files = ToldFiles(texts[rank]);
    if (files.ok()) {
      std::vector<CheckpointFile>& all = pending_->written.files;
      all.insert(all.end(), files->begin(), files->end());
      continue;
    }
    std::error_code error;
    if (Leads()) fs::remove_all(pending_->building, error);
    return FailWith(ExitCode::kStorage,
                    absl::StrCat("rank ", rank, " cannot write its part of the ", What(), ": ",
                                 files.status().message()));
  }
  if (!Leads()) return absl::OkStatus();
  const auto folder = writer_.Publish(pending_->written, pending_->building);
  if (!folder.ok()) return AsStorageError(folder.status());
  TrainEvent event =
      CheckpointEvent(pending_->written.step, *folder, {{"seconds", SecondsAgo(pending_->start)}});
  event.phase = "train";
  events_.Emit(std::move(event));
  return absl::OkStatus();
}

}  // namespace fpo::train
