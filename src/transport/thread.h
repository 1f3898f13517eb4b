// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thread>
#include <utility>

#include <pthread.h>
#include <signal.h>

namespace drumbeat::transport {

/// A thread that takes no signals: they belong to the program, not to a library in it.
/// Throws std::system_error when the system has no more threads.
template <class Body>
std::thread StartThread(Body body) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  struct Restore {
    const sigset_t& mask;
    ~Restore() { ::pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } restore{before};
  return std::thread(std::move(body));
}

}  // namespace drumbeat::transport
