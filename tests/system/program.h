// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <thread>
#include <utility>
#include <vector>

#include "system/capture.h"

namespace drumbeat::system {

/// A file descriptor that is closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  void Close();

 private:
  int fd_;
};

/// What a program's standard streams are.
enum class Console : std::uint8_t {
  kPipes,
  /// A terminal of its own, as a window is: one stream for all, with echo, and CTRL+C.
  kTerminal,
};

/// What the test does with an output pipe.
enum class Reading : std::uint8_t {
  kAlways,
  /// The pipe is full from the start, of line ends, and nobody reads before Program::ReadOutput().
  kLater,
  /// The reading end is closed.
  kNever,
};

struct ProgramOptions {
  std::filesystem::path executable;
  std::vector<std::string> arguments;
  /// Where it runs.
  std::filesystem::path directory;
  Console console = Console::kPipes;
  /// Of stdout and stderr when they are pipes.
  Reading stdout_reading = Reading::kAlways;
  Reading stderr_reading = Reading::kAlways;
  /// Runs as this user, and without capabilities; 0: as the test does.
  uid_t user = 0;
};

/// How a program ended.
struct Ending {
  /// As a shell says it: the status, or 128 and the signal's number.
  int status = 0;
  bool by_signal = false;
};

/// A program under test in a session of its own; it is killed with this object, and with the test.
/// What a sanitizer has reported on its stderr is then a failure of the test.
///
/// Thread-safety: one thread, the one that started it, but the captures may be used by any.
class Program {
 public:
  /// Starts it. Aborts the test program when the machine has no processes or files left.
  explicit Program(const ProgramOptions& options);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// What it wrote; err() is out() when it has a terminal.
  const Capture& out() const { return *out_; }
  const Capture& err() const { return *err_; }
  pid_t pid() const { return pid_; }

  /// Types a line and its end.
  void Type(std::string_view line) { Write(std::string(line) + '\n'); }
  /// Types bytes; false when the program did not take them within `limit`.
  bool Write(std::string_view bytes, std::chrono::milliseconds limit = kLongWait);
  /// Types as many of the bytes as the program takes at once: how many.
  std::size_t WriteSome(std::string_view bytes);
  /// Presses CTRL+C: only with a terminal.
  void PressCtrlC() { Write("\x03"); }
  /// The end of the input: CTRL+D in a terminal.
  void CloseInput();
  /// Begins to read what Reading::kLater has left.
  void ReadOutput();

  void Signal(int number) const;
  /// How it ended, and all output was read; nothing when it still runs after `limit`.
  std::optional<Ending> AwaitEnd(std::chrono::milliseconds limit);
  bool Running() { return !AwaitEnd(std::chrono::milliseconds(0)); }

  std::chrono::milliseconds CpuTime() const;
  /// Resident memory, in KiB, now and at most so far.
  std::size_t ResidentKib() const { return StatusKib("VmRSS:"); }
  std::size_t PeakResidentKib() const { return StatusKib("VmHWM:"); }

 private:
  void OpenPipes(const ProgramOptions& options);
  void OpenTerminal();
  void Spawn(const ProgramOptions& options);
  void ReadLoop();
  bool Reap(std::chrono::milliseconds limit);
  void ExpectNoSanitizerReport() const;
  std::size_t StatusKib(std::string_view field) const;

  const Console console_;
  pid_t pid_ = -1;
  std::optional<Ending> ending_;
  Descriptor process_;  // a pidfd: readable at the end
  Descriptor input_;
  Descriptor output_;  // of both streams with a terminal
  Descriptor errors_;
  Descriptor theirs_[3];  // the program's ends, until it has them
  Descriptor wake_;
  std::shared_ptr<Capture> out_ = std::make_shared<Capture>();
  std::shared_ptr<Capture> err_ = out_;
  std::atomic<bool> read_out_ = true;
  std::atomic<bool> read_err_ = true;
  std::atomic<bool> stopping_ = false;
  std::thread reader_;
};

}  // namespace drumbeat::system
