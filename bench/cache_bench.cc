// Measures a real fpo-cache process, and in the same run the machine's ceilings: the same
// records from RocksDB without checks, from a mapped file, and an empty gRPC stream.
//   fpo-cache-bench FPO_CACHE_PROGRAM FOLDER [PAIRS 61000] [FEATURES 1500]
#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/cache_program.h"
#include "bench/synthetic_records.h"
#include "cache/core/store/key_layout.h"
#include "common/reference/record_file.h"
#include "common/reference/record_key.h"
#include "common/rocksdb/database.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
namespace pb = fpo::v1;
using Stub = pb::ReferenceCache::Stub;

constexpr double kMiB = 1 << 20;

double OwnCpuSeconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

void Print(const char* what, const std::string& value) {
  std::printf("%-44s %s\n", what, value.c_str());
}

std::string Rate(double records, double bytes, double seconds) {
  char text[128];
  std::snprintf(text, sizeof(text), "%9.0f records/s %8.0f MiB/s", records / seconds,
                bytes / kMiB / seconds);
  return text;
}

class Bench {
 public:
  Bench(std::string program, std::string folder, int64_t pairs, int features)
      : folder_(std::move(folder)),
        records_(2 * pairs, features),
        count_(records_.keys().size()),
        cache_(std::move(program), folder_) {}

  void Run() {
    Print("records", absl::StrCat(count_, " (", count_ / 2, " pairs)"));
    cache_.Start();
    Upload();
    Reopen();
    Pulls();
    SmallReads();
    cache_.Kill();
    PullsWithTls();
    CeilingRocksdb();
    CeilingFile();
    CeilingGrpc();
  }

 private:
  void PutManifest(Stub& stub, const char* what) {
    pb::PutManifestResponse response;
    const double seconds = Seconds([&] {
      grpc::ClientContext context;
      const auto writer = stub.PutManifest(&context, &response);
      pb::PutManifestRequest request;
      request.mutable_header()->set_recipe(CanonicalRecipe(records_.recipe()));
      request.mutable_header()->set_keys(static_cast<int64_t>(count_));
      writer->Write(request);
      for (size_t from = 0; from < count_; from += 4096) {
        request.set_keys(records_.KeyBytes(from, std::min<size_t>(4096, count_ - from)));
        writer->Write(request);
      }
      writer->WritesDone();
      Require(writer->Finish().ok(), "PutManifest");
    });
    id_ = response.manifest_id();
    Print(what, absl::StrCat(static_cast<int64_t>(seconds * 1000), " ms, ", response.missing(),
                             " missing"));
  }
  void FindMissing(Stub& stub, const char* what) {
    const Digest recipe = RecipeId(records_.recipe());
    const double seconds = Seconds([&] {
      for (size_t from = 0; from < count_; from += 4096) {
        grpc::ClientContext context;
        SetDeadline(&context, absl::Seconds(30));
        pb::FindMissingRequest request;
        request.set_recipe_id(ToBytes(recipe));
        request.set_keys(records_.KeyBytes(from, std::min<size_t>(4096, count_ - from)));
        pb::FindMissingResponse response;
        Require(stub.FindMissing(&context, request, &response).ok(), "FindMissing");
      }
    });
    Print(what, absl::StrCat(static_cast<int>(seconds * 1000), " ms"));
  }

  // One builder: claims, uploads of at most 1 MiB, each acknowledged after its fsync.
  void Upload() {
    const auto stub = cache_.Connect();
    PutManifest(*stub, "register all keys, nothing stored");
    double making = 0;
    std::vector<double> acks;
    const double cpu = cache_.CpuSeconds();
    const double seconds =
        Seconds([&] {
          grpc::ClientContext context;
          const auto stream = stub->PutRecords(&context);
          pb::PutRecordsRequest request;
          request.set_manifest_id(id_);
          for (;;) {
            grpc::ClientContext claim_context;
            SetDeadline(&claim_context, absl::Seconds(30));
            pb::ClaimRequest claim_request;
            claim_request.set_manifest_id(id_);
            claim_request.set_limit(1024);
            pb::ClaimResponse claim;
            Require(stub->Claim(&claim_context, claim_request, &claim).ok(), "Claim");
            if (claim.complete()) break;
            request.set_claim_id(claim.claim_id());
            for (int i = 0; i < claim.ordinals_size();) {
              request.clear_packed();
              making += Seconds([&] {
                while (i < claim.ordinals_size() && request.packed().size() < (1000 << 10)) {
                  const PackedRecord record =
                      records_.Make(static_cast<size_t>(claim.ordinals(i++)));
                  AppendPacked(record, request.mutable_packed());
                  bytes_ += static_cast<double>(record.bytes.size());
                }
              });
              request.set_seq(request.seq() + 1);
              acks.push_back(Seconds([&] {
                pb::PutRecordsResponse ack;
                Require(stream->Write(request) && stream->Read(&ack), "PutRecords");
              }));
            }
          }
          stream->WritesDone();
          Require(stream->Finish().ok(), "PutRecords");
        }) -
        making;
    Print("bytes of a record, mean", absl::StrCat(static_cast<int64_t>(bytes_ / count_)));
    Print("upload, one builder, durable", Rate(count_, bytes_, seconds));
    Print("  of 1 MiB until it is durable", Percentiles(acks));
    Print("  CPU of the server",
          absl::StrCat(static_cast<int64_t>((cache_.CpuSeconds() - cpu) / count_ * 1e7) / 10.0,
                       " us/record"));
    pb::StatsResponse stats;
    grpc::ClientContext context;
    SetDeadline(&context, absl::Seconds(30));
    Require(stub->Stats(&context, {}, &stats).ok(), "Stats");
    Print("stored",
          absl::StrCat(stats.records(), " records with the margin-only forms, ",
                       stats.bytes() >> 20, " MiB; on disk ", stats.disk_bytes() >> 20, " MiB"));
  }

  void Reopen() {
    cache_.Kill();
    const double seconds = cache_.Start();
    Print("serves again after kill -9", absl::StrCat(static_cast<int>(seconds * 1000), " ms"));
    const auto stub = cache_.Connect();
    FindMissing(*stub, "find-missing of all keys, first time");
    FindMissing(*stub, "find-missing of all keys, again");
    PutManifest(*stub, "register all keys, all stored");
    cache_.AwaitRest();
    Print("memory at rest", absl::StrCat(static_cast<int>(cache_.MemoryMiB()), " MiB"));
  }

  // Takes every frame and verifies every record, as an agent does.
  void Pull(double* first_frame) const {
    const auto stub = cache_.Connect();
    grpc::ClientContext context;
    pb::PullManifestRequest request;
    request.set_manifest_id(id_);
    const absl::Time start = absl::Now();
    const auto stream = stub->PullManifest(&context, request);
    size_t records = 0;
    for (pb::PullManifestResponse frame; stream->Read(&frame);) {
      if (records == 0) *first_frame = absl::ToDoubleMilliseconds(absl::Now() - start);
      absl::string_view packed = frame.packed();
      for (; !packed.empty(); ++records) Require(TakePacked(&packed).ok(), "a bad record");
    }
    Require(stream->Finish().ok() && records == count_, "PullManifest");
  }
  void Readers(int readers, const char* what) {
    const double server_cpu = cache_.CpuSeconds(), own_cpu = OwnCpuSeconds();
    double first = 0;
    const double seconds = Seconds([&] {
      std::vector<std::thread> threads;
      std::vector<double> firsts(static_cast<size_t>(readers));
      for (double& f : firsts) threads.emplace_back([this, &f] { Pull(&f); });
      for (std::thread& thread : threads) thread.join();
      first = *std::max_element(firsts.begin(), firsts.end());
    });
    const double total = static_cast<double>(count_) * readers;
    char cpu[128];
    std::snprintf(cpu, sizeof(cpu),
                  "  CPU us/record: server %.1f, reader %.1f; first frame %.0f ms",
                  (cache_.CpuSeconds() - server_cpu) / total * 1e6,
                  (OwnCpuSeconds() - own_cpu) / total * 1e6, first);
    Print(what, Rate(total, bytes_ * readers, seconds) + cpu);
  }
  void Pulls() {
    for (const auto& entry : fs::directory_iterator(folder_ + "/store")) {
      const int fd = open(entry.path().c_str(), O_RDONLY);
      posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
      close(fd);
    }
    Readers(1, "pull, 1 reader, files not in memory");
    Readers(1, "pull, 1 reader, warm");
    Readers(2, "pull, 2 readers, warm");
    Readers(8, "pull, 8 readers, warm");
    Print("memory after 8 readers",
          absl::StrCat(static_cast<int>(cache_.MemoryMiB()), " MiB, peak ",
                       static_cast<int>(cache_.PeakMemoryMiB()), " MiB"));
  }

  // Both sides show a certificate; one that signs itself is enough here.
  void PullsWithTls() {
    const std::string certificate = folder_ + "/bench";
    const std::string make = absl::StrCat(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "
        "/CN=bench -addext subjectAltName=IP:127.0.0.1 -keyout ",
        certificate, ".key -out ", certificate, ".pem 2>/dev/null");
    Require(std::system(make.c_str()) == 0, "openssl makes no certificate");
    fs::permissions(certificate + ".key", fs::perms::owner_read | fs::perms::owner_write);
    cache_.Start(certificate);
    cache_.AwaitRest();
    Readers(1, "pull, 1 reader, warm, mutual TLS");
    Readers(2, "pull, 2 readers, warm, mutual TLS");
    cache_.Kill();
  }

  void SmallReads() {
    const auto stub = cache_.Connect();
    std::mt19937_64 random(1);
    std::vector<double> times;
    for (int call = 0; call < 2000; ++call) {
      pb::GetRecordsRequest request;
      request.set_manifest_id(id_);
      for (int i = 0; i < 64; ++i) {
        request.mutable_keys()->append(ToBytes(records_.keys()[random() % count_]));
      }
      times.push_back(Seconds([&] {
        grpc::ClientContext context;
        SetDeadline(&context, absl::Seconds(30));
        pb::GetRecordsResponse response;
        Require(stub->GetRecords(&context, request, &response).ok(), "GetRecords");
      }));
    }
    Print("GetRecords of 64 random records", Percentiles(times));
  }

  static std::string Percentiles(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    const auto at = [&](double p) {
      return 1e3 * seconds[static_cast<size_t>(p * static_cast<double>(seconds.size() - 1))];
    };
    char text[96];
    std::snprintf(text, sizeof(text), "p50 %.2f ms, p99 %.2f ms", at(0.5), at(0.99));
    return text;
  }

  void CeilingRocksdb() const {
    DatabaseOptions options;
    options.path = folder_ + "/store";
    options.families = {{.name = "meta"},
                        {.name = "manifests"},
                        {.name = "index"},
                        {.name = "data", .profile = FamilyProfile::kBulk},
                        {.name = "quarantine", .profile = FamilyProfile::kBulk}};
    const auto database = Database::Open(options);
    Require(database.ok(), std::string(database.status().message()));
    const Digest recipe = RecipeId(records_.recipe());
    const double seconds = Seconds([&] {
      for (size_t from = 0; from < count_; from += 256) {
        std::vector<std::string> paths;
        for (size_t i = from; i < std::min(count_, from + 256); ++i) {
          paths.push_back(cache::RecordPath(recipe, records_.keys()[i]));
        }
        std::sort(paths.begin(), paths.end());
        Require((*database)->MultiGet(3, paths).ok(), "MultiGet");
      }
    });
    Print("ceiling: RocksDB MultiGet(256), no digests", Rate(count_, bytes_, seconds));
  }

  void CeilingFile() const {
    const std::string path = folder_ + "/records.fpr";
    auto writer = RecordFileWriter::Create(path, records_.recipe());
    for (size_t i = 0; i < count_; ++i) Require((*writer)->Add(records_.Make(i)).ok(), "Add");
    Require((*writer)->Finish().ok(), "Finish");
    std::unique_ptr<RecordFile> file;
    const double opening = Seconds([&] { file = *RecordFile::Open(path); });
    Print("local file: open and prove all of it", Rate(count_, bytes_, opening));
    const double seconds = Seconds([&] {
      for (const Digest& key : records_.keys()) Require(file->Find(key).ok(), "Find");
    });
    Print("local file: find and decode in order", Rate(count_, bytes_, seconds));
    const double copying = Seconds([&] {
      for (int64_t i = 0; i < file->size(); ++i) Require(file->At(i).ok(), "At");
    });
    Print("ceiling: mapped file, copy of each record", Rate(count_, bytes_, copying));
  }

  // Frames of 1 MiB that are neither read from a store nor verified.
  class EmptyCache final : public pb::ReferenceCache::Service {
   public:
    explicit EmptyCache(double bytes) : frames_(static_cast<int>(bytes / kMiB) + 1) {}
    grpc::Status PullManifest(grpc::ServerContext*, const pb::PullManifestRequest*,
                              grpc::ServerWriter<pb::PullManifestResponse>* writer) override {
      pb::PullManifestResponse frame;
      frame.set_packed(std::string(1 << 20, 'x'));
      for (int i = 0; i < frames_ && writer->Write(frame); ++i) {
      }
      return grpc::Status::OK;
    }

   private:
    const int frames_;
  };
  void CeilingGrpc() const {
    EmptyCache service(bytes_);
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    const auto stub =
        pb::ReferenceCache::NewStub(*MakeChannel(absl::StrCat("127.0.0.1:", port), {.bulk = true}));
    const double seconds = Seconds([&] {
      grpc::ClientContext context;
      const auto stream = stub->PullManifest(&context, {});
      for (pb::PullManifestResponse frame; stream->Read(&frame);) {
      }
      Require(stream->Finish().ok(), "empty stream");
    });
    Print("ceiling: empty gRPC stream of 1 MiB frames", Rate(count_, bytes_, seconds));
    server->Shutdown();
  }

  const std::string folder_;
  const SyntheticRecords records_;
  const size_t count_;
  CacheProgram cache_;
  std::string id_;
  double bytes_ = 0;
};

}  // namespace
}  // namespace fpo

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: fpo-cache-bench FPO_CACHE_PROGRAM FOLDER [PAIRS] [FEATURES]\n";
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::filesystem::create_directories(argv[2]);
  fpo::Bench(argv[1], argv[2], argc > 3 ? std::atoll(argv[3]) : 61'000,
             argc > 4 ? std::atoi(argv[4]) : 1500)
      .Run();
}
