// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>

// What the benchmark needs of the operating system. Whatever fails here ends the program: a
// benchmark has nothing to recover.
namespace drumbeat::bench {

/// Prints what failed, with errno's text, and exits.
[[noreturn]] void Die(std::string_view what);

/// CLOCK_MONOTONIC, the same in all processes of the machine.
std::uint64_t NowNs();
void SleepUntilNs(std::uint64_t when);

/// User and system time of a process with all its threads, this one's with 0.
std::uint64_t CpuNs(pid_t pid);
/// How often threads of a process that still run went to sleep or had to give way.
std::uint64_t ContextSwitches(pid_t pid);

/// A descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  int Release();

 private:
  int fd_ = -1;
};

/// A socket that listens on a free port of 127.0.0.1, and that port.
struct Listener {
  Fd fd;
  std::uint16_t port = 0;
};
Listener ListenOnLoopback();
/// Two ends of a TCP connection over loopback, without Nagle's delay.
struct Connection {
  Fd near;
  Fd far;
};
Connection ConnectOverLoopback();

/// All of it or false at an end or error. Writes wait where the descriptor does not block.
bool ReadAll(int fd, char* bytes, std::size_t count);
bool WriteAll(int fd, const char* bytes, std::size_t count);

/// A new folder below `parent`; removed with its owner.
class TempFolder {
 public:
  explicit TempFolder(const std::filesystem::path& parent);
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Processor, cores, kernel, compiler and the file system of `folder`, in one line.
std::string MachineLine(const std::filesystem::path& folder);

}  // namespace drumbeat::bench
