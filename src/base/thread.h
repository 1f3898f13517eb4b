// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <pthread.h>
#include <signal.h>

namespace drumbeat::base {

/// While it lives, this thread takes no signals, and no thread that it starts ever will: they
/// belong to the program, not to a library in it.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// A thread that takes no signals.
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
