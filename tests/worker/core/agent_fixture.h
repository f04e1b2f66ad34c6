#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/observe/metrics.h"
#include "tests/support/fake_cache_link.h"
#include "tests/support/process_fixture.h"
#include "tests/support/temp_folder.h"
#include "worker/core/outbox/outbox.h"
#include "worker/core/process/process_journal.h"
#include "worker/core/reference/record_store.h"
#include "worker/core/running_attempt.h"

namespace fpo::testing {

// The parts of an agent in a folder of their own, with the fake trainer and a fake cache.
struct AgentParts {
  TempFolder work;
  MetricsRegistry registry;
  worker::AgentMetrics metrics{&registry};
  std::unique_ptr<worker::ProcessJournal> journal = *worker::ProcessJournal::Open(work.path());
  worker::Spawner spawner;
  FakeCacheLink cache;
  worker::RecordStore records{{.folder = work / "records"}, &cache};
  worker::Outbox outbox{{.folder = work / "spool", .spool = {}}, &metrics};

  worker::AttemptServices Services() {
    return {.spawner = &spawner,
            .journal = journal.get(),
            .cache = &cache,
            .records = &records,
            .outbox = &outbox,
            .metrics = &metrics};
  }
  worker::AttemptOptions Options() {
    worker::AttemptOptions options;
    options.work_dir = work.path();
    options.worker_id = "w1";
    options.trainer.path = FPO_FAKE_TRAINER;
    options.disk_reserve_bytes = 0;
    options.reference.backoff = {.first = absl::Milliseconds(1), .most = absl::Milliseconds(5)};
    options.reference.patience = absl::Milliseconds(500);
    return options;
  }
};

}  // namespace fpo::testing
