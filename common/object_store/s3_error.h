#pragma once

#include "absl/status/status.h"
#include "common/object_store/object_url.h"
#include "common/object_store/s3_request.h"
#include "common/object_store/s3_settings.h"

namespace fpo {

// What an answer other than 2xx means (object_store.h), with S3's code and message and, where it is
// known, what to do. Nothing else of the answer is shown: it may repeat what was signed.
absl::Status S3Error(const ObjectName& name, const S3Response& response,
                     const S3Settings& settings);

}  // namespace fpo
