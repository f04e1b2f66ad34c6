// fpoctl cache export, import: a manifest's records as one file.
#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/backoff.h"
#include "common/cache_client/reference_cache_client.h"
#include "common/error_info.h"
#include "common/files/posix_status.h"
#include "common/reference/record_file.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/command_line/hint.h"
#include "ctl/commands/cache/cache_manifest.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/request_id.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int32_t kClaimRecords = 1024;
constexpr size_t kFramesTogether = 20;
constexpr size_t kUploadsTogether = 2;
constexpr int kBrokenStreamsMax = 5;

// The records of one export so far.
struct Exported {
  std::unique_ptr<RecordFileWriter> writer;
  std::vector<Digest> keys;
  int64_t bytes = 0;

  absl::Status Take(const RecordFrame& frame) {
    if (frame.first_ordinal != static_cast<int64_t>(keys.size())) {
      return absl::DataLossError(absl::StrCat("the cache sent ordinal ", frame.first_ordinal,
                                              " where ", keys.size(), " was due"));
    }
    FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> records, Unpack(frame.packed));
    for (const PackedRecord& record : records) {
      FPO_RETURN_IF_ERROR(writer->Add(record));
      keys.push_back(record.key);
      bytes += static_cast<int64_t>(record.bytes.size());
    }
    return absl::OkStatus();
  }
};

absl::Status PullAll(Session& session, ReferenceCacheClient& cache, const Digest& manifest_id,
                     Exported* exported) {
  Backoff backoff({.first = absl::Milliseconds(200), .most = absl::Seconds(5)});
  for (int broken = 0;;) {
    const size_t before = exported->keys.size();
    const absl::Status status = cache.PullManifest(
        {.manifest_id = manifest_id, .from_ordinal = static_cast<int64_t>(before)},
        [&](const RecordFrame& frame) { return exported->Take(frame); });
    if (status.ok()) return status;
    broken = exported->keys.size() > before ? 1 : broken + 1;
    const bool may_resume = absl::IsUnavailable(status) || absl::IsDataLoss(status);
    if (!may_resume || broken > kBrokenStreamsMax) return status;
    if (session.interrupt.WaitFor(backoff.Next())) return InterruptedError();
  }
}

absl::Status CheckExported(const pb::Manifest& manifest, const Exported& exported) {
  FPO_ASSIGN_OR_RETURN(const Digest recipe_id, DigestFromBytes(manifest.recipe_id()));
  if (ToBytes(ManifestId(recipe_id, exported.keys)) == manifest.manifest_id()) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the ", exported.keys.size(), " keys received are not ",
                                          "those of manifest ",
                                          absl::BytesToHexString(manifest.manifest_id())));
}

// Frames of packed records under their claims, for one stream.
struct Upload {
  std::vector<PackedFrame> frames;
  std::vector<uint64_t> claims;  // of each frame

  // A claim begins a frame of its own.
  absl::Status Add(const RecordFile& file, const RecordClaim& claim) {
    std::vector<PackedFrame> packed;
    for (const int64_t ordinal : claim.ordinals) {
      FPO_ASSIGN_OR_RETURN(const PackedRecord record, file.At(ordinal));
      AddToFrames(record, &packed);
    }
    claims.insert(claims.end(), packed.size(), claim.claim_id);
    std::move(packed.begin(), packed.end(), std::back_inserter(frames));
    return absl::OkStatus();
  }
  absl::StatusOr<PutCounts> Send(ReferenceCacheClient& cache, const Digest& manifest_id) const {
    std::vector<PutBatch> batches;
    for (size_t i = 0; i < frames.size(); ++i) {
      batches.push_back({.claim_id = claims[i], .packed = frames[i].packed});
    }
    return cache.PutRecords(manifest_id, batches);
  }
};

// Streams on their way: while the cache makes one durable it receives the next. What still runs is
// waited for in the end, also after an error.
class Uploads {
 public:
  Uploads(ReferenceCacheClient* cache, const Digest& manifest_id)
      : cache_(cache), manifest_id_(manifest_id) {}

  bool empty() const { return running_.empty(); }
  bool full() const { return running_.size() >= kUploadsTogether; }

  void Start(Upload upload) {
    running_.push_back(std::async(std::launch::async, [this, upload = std::move(upload)] {
      return upload.Send(*cache_, manifest_id_);
    }));
  }

  // Waits for the oldest.
  absl::Status Finish(PutCounts* imported) {
    const absl::StatusOr<PutCounts> put = running_.front().get();
    running_.pop_front();
    FPO_RETURN_IF_ERROR(put.status());
    *imported += *put;
    return absl::OkStatus();
  }

 private:
  ReferenceCacheClient* const cache_;
  const Digest manifest_id_;
  std::deque<std::future<absl::StatusOr<PutCounts>>> running_;
};

// Several claims go in one stream: the cache takes much at once in faster than little by little.
absl::StatusOr<PutCounts> SendMissing(Session& session, ReferenceCacheClient& cache,
                                      const RecordFile& file, const Digest& manifest_id) {
  PutCounts imported;
  Uploads uploads(&cache, manifest_id);
  Upload next;
  for (;;) {
    FPO_ASSIGN_OR_RETURN(const RecordClaim claim, cache.Claim({.manifest_id = manifest_id,
                                                               .limit = kClaimRecords,
                                                               .builder = "fpoctl cache import",
                                                               .request_id = NewRequestId()}));
    FPO_RETURN_IF_ERROR(next.Add(file, claim));
    if (claim.claim_id != 0 && next.frames.size() < kFramesTogether) continue;
    if (!next.frames.empty()) {
      if (uploads.full()) FPO_RETURN_IF_ERROR(uploads.Finish(&imported));
      uploads.Start(std::exchange(next, {}));
    } else if (!uploads.empty()) {  // the claims that are left may be ours
      FPO_RETURN_IF_ERROR(uploads.Finish(&imported));
    } else if (claim.complete) {
      return imported;
    } else if (claim.claim_id == 0) {  // jobs compute the rest just now
      const absl::Duration pause =
          std::clamp(claim.retry_after, absl::Milliseconds(50), absl::Seconds(1));
      if (session.interrupt.WaitFor(pause)) return InterruptedError();
    }
  }
}

absl::Status PrintManifest(Session& session, ReferenceCacheClient& cache, const Digest& manifest_id,
                           const std::string& text) {
  if (session.settings().json) {
    FPO_ASSIGN_OR_RETURN(const pb::GetManifestResponse answer, cache.GetManifest(manifest_id));
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << ToHex(manifest_id) << "\n";
  } else {
    session.out << text << "\n";
  }
  return absl::OkStatus();
}

// An existing file may still be needed, so it is not overwritten unasked.
absl::Status CheckTarget(const Session& session, const std::string& path) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  if (is_folder) return PosixError(EISDIR, "write", path);
  if (!std::filesystem::exists(path, error) || session.invocation.Has("force")) {
    return absl::OkStatus();
  }
  std::vector<std::string> again = session.invocation.typed;
  again.emplace_back("--force");
  return WithErrorInfo(
      absl::AlreadyExistsError(absl::StrCat(path, " already exists")),
      {.reason = ErrorReason::kFileExists,
       .hint = absl::StrCat("name another file, or overwrite it: ", CommandLineOf(again))});
}

absl::StatusOr<ExitCode> RunCacheExport(Session& session) {
  const std::string path = session.invocation.Get("FILE");
  FPO_RETURN_IF_ERROR(CheckTarget(session, path));
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const Digest manifest_id,
                       FindManifest(cache, session.invocation.Get("MANIFEST")));
  FPO_ASSIGN_OR_RETURN(const pb::GetManifestResponse answer, cache.GetManifest(manifest_id));
  const pb::Manifest& manifest = answer.manifest();
  FPO_ASSIGN_OR_RETURN(const Recipe recipe, ParseRecipe(manifest.recipe()));
  Exported exported;
  FPO_ASSIGN_OR_RETURN(exported.writer, RecordFileWriter::Create(path, recipe));
  FPO_RETURN_IF_ERROR(PullAll(session, cache, manifest_id, &exported));
  FPO_RETURN_IF_ERROR(CheckExported(manifest, exported));
  FPO_RETURN_IF_ERROR(exported.writer->Finish());
  FPO_RETURN_IF_ERROR(PrintManifest(
      session, cache, manifest_id,
      absl::StrCat("exported ", HumanCount(static_cast<int64_t>(exported.keys.size())),
                   " records, ", HumanBytes(static_cast<double>(exported.bytes)), ", to ", path)));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCacheImport(Session& session) {
  const std::string path = session.invocation.Get("FILE");
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RecordFile> file, RecordFile::Open(path));
  if (file->size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("the record file ", path, " has no records"));
  }
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  NewManifest manifest{.recipe = CanonicalRecipe(file->recipe()),
                       .keys = {},
                       .owner = session.environment.user,
                       .name = session.invocation.Has("name")
                                   ? session.invocation.Get("name")
                                   : std::filesystem::path(path).stem().string()};
  for (int64_t i = 0; i < file->size(); ++i) manifest.keys.push_back(file->KeyAt(i));
  FPO_ASSIGN_OR_RETURN(const ManifestCount put, cache.PutManifest(manifest));
  FPO_ASSIGN_OR_RETURN(const PutCounts imported,
                       SendMissing(session, cache, *file, put.manifest_id));
  std::string text =
      absl::StrCat("imported ", HumanCount(imported.stored), " of ", HumanCount(file->size()),
                   " records into manifest ", ToHex(put.manifest_id));
  if (put.present() > 0) {
    absl::StrAppend(&text, "; ", HumanCount(put.present()), " were there already");
  }
  if (imported.conflict > 0) {
    absl::StrAppend(&text, "; ", HumanCount(imported.conflict),
                    " were there with other bytes, which are kept");
  }
  FPO_RETURN_IF_ERROR(PrintManifest(session, cache, put.manifest_id, text));
  return ExitCode::kOk;
}

}  // namespace

CommandSpec CacheExportCommand() {
  CommandSpec c{"cache export", "cache", "write a manifest's records to one file"};
  c.details =
      "The file is a record file (.fpr): the recipe, the records in the manifest's order, each "
      "with its SHA-256, and a SHA-256 over all. `fpoctl cache import` reads it at another site.";
  c.arguments = {ManifestArgument(true),
                 {"FILE", ValueKind::kFile, "the file to write; appears when it is complete"}};
  c.options = {{"force", "", ValueKind::kFlag, "", "overwrite an existing file"}};
  c.examples = {{"fpoctl cache export 3fa9c1 ultrafeedback.fpr", ""}};
  c.json = {"GetManifestResponse"};
  c.run = RunCacheExport;
  return c;
}

CommandSpec CacheImportCommand() {
  CommandSpec c{"cache import", "cache", "store the records of an exported file"};
  c.details =
      "Every digest in the file is checked before anything is sent, and by the cache again. "
      "Records that exist already are not sent; of two values for one record the first is kept.";
  c.arguments = {{"FILE", ValueKind::kFile, "a record file (.fpr)"}};
  c.options = {{"name", "", ValueKind::kText, "NAME", "for listing (default: the file's name)"}};
  c.examples = {{"fpoctl cache import ultrafeedback.fpr", ""},
                {"fpoctl cache import ultrafeedback.fpr --cache-server cache.site-b:7080",
                 "into another site's cache"}};
  c.json = {"GetManifestResponse"};
  c.run = RunCacheImport;
  return c;
}

}  // namespace fpo::ctl
