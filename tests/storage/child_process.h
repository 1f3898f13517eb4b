// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <sys/wait.h>

#include <signal.h>
#include <unistd.h>

namespace drumbeat::storage {

/// Runs `body` in a forked child, which ends with the status that it returns. What the child
/// writes to its `out` arrives at the parent's.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<int(int out)>& body) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::_exit(body(ends[1]));
    }
    ::close(ends[1]);
    in_ = ends[0];
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() {
    Kill();
    ::close(in_);
  }

  pid_t pid() const { return pid_; }
  /// The next bytes of the child's; empty when it has closed its end.
  std::string Read() {
    char buffer[4096];
    const ssize_t got = ::read(in_, buffer, sizeof(buffer));
    return {buffer, static_cast<std::size_t>(got > 0 ? got : 0)};
  }
  /// Everything until its end is closed.
  std::string ReadAll() {
    std::string all;
    for (std::string some = Read(); !some.empty(); some = Read()) all += some;
    return all;
  }
  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    Wait();
  }
  /// Exit status, or minus the signal.
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
};

}  // namespace drumbeat::storage
