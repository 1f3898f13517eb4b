// SPDX-License-Identifier: Apache-2.0

// Preloaded into a program with NEMESIS_LIE set, makes every sync a lie: it succeeds and does
// nothing. The nemesis must find out; if it does not, its power cuts prove nothing.
#include <cstdlib>
#include <sys/syscall.h>

#include <unistd.h>

namespace {

int Sync(long number, int file) {
  static const bool lie = std::getenv("NEMESIS_LIE") != nullptr;
  return lie ? 0 : static_cast<int>(::syscall(number, file));
}

}  // namespace

extern "C" {

int fsync(int file) { return Sync(SYS_fsync, file); }

int fdatasync(int file) { return Sync(SYS_fdatasync, file); }

}  // extern "C"
