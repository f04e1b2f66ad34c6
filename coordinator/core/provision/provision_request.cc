#include "coordinator/core/provision/provision_request.h"

#include "absl/strings/str_cat.h"
#include "coordinator/core/store/stored_fields.h"

namespace fpo::coordinator {

void Fields(auto& archive, MaybeConst<ProvisionRequest> auto& r) {
  archive.Required("id", r.id);
  archive.Required("pool", r.pool);
  archive("job_id", r.job_id);
  archive("owner", r.owner);
  archive("workers", r.workers);
  archive("attempt", r.attempt);
  archive("asked", r.asked);
  archive("started", r.started);
  archive.Number("state", r.state);
  archive("reference", r.reference);
  archive("arrived", r.arrived);
}

std::string AllocationName(const ProvisionRequest& request) {
  return absl::StrCat("fpo-", request.pool, "-", request.id);
}

std::string EncodeProvisionRequest(const ProvisionRequest& request) {
  return EncodeObject(request);
}

absl::StatusOr<ProvisionRequest> DecodeProvisionRequest(absl::string_view bytes) {
  FPO_ASSIGN_OR_RETURN(ProvisionRequest request,
                       DecodeObject<ProvisionRequest>(bytes, "a request for workers"));
  const int state = static_cast<int>(request.state);
  if (state < 0 || state > static_cast<int>(ProvisionRequest::State::kCalledOff)) {
    return absl::DataLossError(
        absl::StrCat("a request for workers: state ", state, " is of a newer program"));
  }
  return request;
}

}  // namespace fpo::coordinator
