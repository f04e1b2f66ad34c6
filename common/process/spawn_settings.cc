#include "common/process/spawn_settings.h"

#include <fcntl.h>
#include <signal.h>

namespace fpo {

SpawnSettings::SpawnSettings(const Ends& ends) {
  posix_spawn_file_actions_init(&actions_);
  posix_spawn_file_actions_adddup2(&actions_, ends.in, 0);
  posix_spawn_file_actions_adddup2(&actions_, ends.out, 1);
  if (ends.err >= 0) {
    posix_spawn_file_actions_adddup2(&actions_, ends.err, 2);
  } else {
    posix_spawn_file_actions_addopen(&actions_, 2, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
  posix_spawnattr_init(&attributes_);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes_, &none);
  posix_spawnattr_setsigdefault(&attributes_, &all);
  posix_spawnattr_setpgroup(&attributes_, 0);
  posix_spawnattr_setflags(&attributes_,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

SpawnSettings::~SpawnSettings() {
  posix_spawn_file_actions_destroy(&actions_);
  posix_spawnattr_destroy(&attributes_);
}

}  // namespace fpo
