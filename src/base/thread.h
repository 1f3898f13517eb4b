// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <pthread.h>
#include <signal.h>

namespace drumbeat::base {

/// What a thread of a library must not take: it belongs to the program. Not what a thread's own
/// fault raises: were that blocked, Linux would end the process past whoever handles it (a crash
/// reporter, a sanitizer, another language's runtime). Nor a profiler's.
inline sigset_t SignalsOfTheProgram() {
  sigset_t signals;
  ::sigfillset(&signals);
  for (const int of_thread : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF}) {
    ::sigdelset(&signals, of_thread);
  }
  return signals;
}

/// While it lives, this thread takes no signals of the program, and no thread that it starts ever
/// will.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    const sigset_t signals = SignalsOfTheProgram();
    ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// A thread that takes no signals of the program.
/// `name`: for tools such as top; the system keeps 15 characters.
/// Throws std::system_error when the system has no more threads.
template <class Body>
std::thread StartThread(std::string_view name, Body body) {
  const SignalsBlocked blocked;
  std::thread thread(std::move(body));
  ::pthread_setname_np(thread.native_handle(), std::string(name.substr(0, 15)).c_str());
  return thread;
}

}  // namespace drumbeat::base
