// SPDX-License-Identifier: Apache-2.0

// Preloaded into a program, makes its wall clock wrong by as many nanoseconds as the first eight
// bytes of the file NEMESIS_CLOCK say (little endian), at any time. The monotonic clocks stay
// right.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <fcntl.h>
#include <unistd.h>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// The shared offset; that of nobody when there is no file.
const std::atomic<std::int64_t>& Offset() {
  static const std::atomic<std::int64_t>* const offset = [] {
    static const std::atomic<std::int64_t> none{0};
    const char* path = std::getenv("NEMESIS_CLOCK");
    const int file = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return &none;
    const void* page = ::mmap(nullptr, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    if (page == MAP_FAILED) return &none;
    return static_cast<const std::atomic<std::int64_t>*>(page);
  }();
  return *offset;
}

std::int64_t WrongNow() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec + Offset().load(std::memory_order_relaxed);
}

bool IsWallClock(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  if (!IsWallClock(clock)) return static_cast<int>(::syscall(SYS_clock_gettime, clock, out));
  const std::int64_t now = WrongNow();
  *out = {.tv_sec = now / kSecond, .tv_nsec = now % kSecond};
  return 0;
}

int gettimeofday(timeval* out, void* /*zone*/) noexcept {
  const std::int64_t now = WrongNow();
  *out = {.tv_sec = now / kSecond, .tv_usec = now % kSecond / 1000};
  return 0;
}

int timespec_get(timespec* out, int base) noexcept {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

std::time_t time(std::time_t* out) noexcept {
  const std::time_t now = WrongNow() / kSecond;
  if (out != nullptr) *out = now;
  return now;
}

}  // extern "C"
