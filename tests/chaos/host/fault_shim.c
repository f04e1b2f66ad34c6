// Preloaded into a program under test: shifts its wall clock, and holds up what waits for its disk, as
// the eight-byte words of the file FPO_FAULT_FILE say: nanoseconds added to the wall clock; 1 while
// the disk stalls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct Faults {
  volatile int64_t shift_ns;
  volatile int64_t stall;
};

static struct Faults* Get(void) {
  static struct Faults none;
  static struct Faults* faults;
  if (faults != NULL) return faults;
  const char* path = getenv("FPO_FAULT_FILE");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void* map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (fd >= 0) close(fd);
  faults = map == MAP_FAILED ? &none : (struct Faults*)map;
  return faults;
}

static long Raw(long number, long a, long b, long c, long d, long e, long f) {
  static long (*next)(long, ...);
  if (next == NULL) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  return next(number, a, b, c, d, e, f);
}

static void Shift(struct timespec* time, int64_t by) {
  const int64_t all = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + by;
  time->tv_sec = all / 1000000000;
  time->tv_nsec = all % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const int result = (int)Raw(SYS_clock_gettime, clock, (long)time, 0, 0, 0, 0);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    Shift(time, Get()->shift_ns);
  }
  return result;
}

int gettimeofday(struct timeval* restrict time, void* restrict zone) {
  (void)zone;
  struct timespec now;
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

// Waits of Abseil until a time of the wall clock; the kernel knows only the true one.
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long words[6];
  for (int i = 0; i < 6; ++i) words[i] = va_arg(list, long);
  va_end(list);
  struct timespec until;
  if (number == SYS_futex && (words[1] & FUTEX_CLOCK_REALTIME) != 0 && words[3] != 0) {
    until = *(const struct timespec*)words[3];
    Shift(&until, -Get()->shift_ns);
    words[3] = (long)&until;
  }
  return Raw(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

static void AwaitDisk(void) {
  while (Get()->stall != 0) usleep(1000);
}

int fsync(int fd) {
  AwaitDisk();
  return (int)Raw(SYS_fsync, fd, 0, 0, 0, 0, 0);
}

int fdatasync(int fd) {
  AwaitDisk();
  return (int)Raw(SYS_fdatasync, fd, 0, 0, 0, 0, 0);
}
