#pragma once

#include <spawn.h>

namespace fpo {

// posix_spawn's settings for a child with none of this process's state: no blocked or handled
// signals, a process group of its own (a terminal's Ctrl-C is for this process, which ends the
// child), and no descriptors but 0, 1 and 2, which are those given here.
class SpawnSettings {
 public:
  struct Ends {
    int in;
    int out;
    int err = -1;  // -1: /dev/null
  };
  explicit SpawnSettings(const Ends& ends);
  ~SpawnSettings();
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace fpo
