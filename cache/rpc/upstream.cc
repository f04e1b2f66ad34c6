#include "cache/rpc/upstream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/access_list.h"
#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

absl::Status Explain(const std::string& address, const grpc::Status& status) {
  absl::Status result = FromGrpcStatus(status);
  if (!absl::IsUnavailable(result)) return result;
  return WithErrorInfo(
      absl::UnavailableError(
          absl::StrCat("this replica cannot reach its cache at ", address, ": ", result.message())),
      {.reason = ErrorReason::kUpstreamUnavailable,
       .hint = "retry; what the replica has is still served"});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Upstream>> Upstream::Create(const Options& options,
                                                           ReferenceCache* local) {
  ChannelOptions channel_options{.tls = options.tls, .bulk = true};
  channel_options.token_file = options.token_file;
  FPO_ASSIGN_OR_RETURN(const auto channel, MakeChannel(options.address, channel_options));
  CacheCallPolicy policy{.manifest_time = absl::Hours(1),
                         .upload_time = absl::Minutes(5),
                         .pull_time = absl::Hours(1)};
  policy.explain = [address = options.address](const grpc::Status& status) {
    return Explain(address, status);
  };
  return std::unique_ptr<Upstream>(
      new Upstream(options.address, {channel, channel, std::move(policy)}, local));
}

absl::StatusOr<ManifestProgress> Upstream::Progress(const Digest& manifest_id) {
  FPO_ASSIGN_OR_RETURN(const fpo::v1::GetManifestResponse response,
                       calls_.GetManifest(manifest_id));
  const fpo::v1::Manifest& manifest = response.manifest();
  // Who holds the rest only a claim tells.
  return ManifestProgress{.present = manifest.present(),
                          .total = manifest.total(),
                          .claimable = manifest.total() - manifest.present()};
}

bool Upstream::MustFetch(const Digest& manifest_id) {
  const absl::StatusOr<std::vector<int64_t>> missing = local_.MissingOrdinals(manifest_id);
  return missing.ok() && !missing->empty();
}

absl::Status Upstream::Fetch(const Digest& manifest_id) {
  const KeyReservations::Hold hold(&transfers_, {ToBytes(manifest_id)});
  FPO_ASSIGN_OR_RETURN(std::vector<int64_t> missing, local_.MissingOrdinals(manifest_id));
  if (missing.empty()) return absl::OkStatus();
  return calls_.PullManifest(
      {.manifest_id = manifest_id, .ordinals = std::move(missing)},
      [&](const RecordFrame& frame) { return local_.StoreFetched(manifest_id, frame.packed); },
      stop_.get_token());
}

}  // namespace fpo::cache
