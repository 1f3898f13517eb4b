// SPDX-License-Identifier: Apache-2.0
#include "system/program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <utility>

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;

// The machine has no processes, files or terminals left: no test can go on.
[[noreturn]] void Give(const char* what) {
  std::perror(what);
  std::abort();
}

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

// In the child, before exec: nothing here may allocate. Never returns.
[[noreturn]] void BecomeProgram(const ProgramOptions& options, char* const* argv, int in, int out,
                                int err, pid_t parent) {
  ::setsid();
  if (options.console == Console::kTerminal) ::ioctl(in, TIOCSCTTY, 0);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  bool ready = ::chdir(options.directory.c_str()) == 0;
  if (options.user != 0) {
    ready = ready && ::setgroups(0, nullptr) == 0 && ::setgid(options.user) == 0 &&
            ::setuid(options.user) == 0;
  }
  // After setuid(), which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_DFL);
  if (!ready || ::getppid() != parent) ::_exit(126);
  ::execv(options.executable.c_str(), argv);
  ::_exit(127);
}

// Reads once. False at the end of the stream.
bool ReadOnce(int fd, Capture& capture) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got > 0) capture.Append({buffer.data(), static_cast<std::size_t>(got)});
  // A terminal that nobody has open any more gives EIO.
  return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

// Fills a pipe, which is made as small as can be.
void Fill(int fd) {
  const int bytes = ::fcntl(fd, F_SETPIPE_SZ, 4096);
  if (bytes < 0) Give("F_SETPIPE_SZ");
  const std::string line_ends(static_cast<std::size_t>(bytes), '\n');
  if (::write(fd, line_ends.data(), line_ends.size()) != bytes) Give("write");
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Program::Program(const ProgramOptions& options) : console_(options.console) {
  wake_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (console_ == Console::kTerminal) {
    OpenTerminal();
  } else {
    OpenPipes(options);
  }
  Spawn(options);
  reader_ = std::thread([this] { ReadLoop(); });
}

Program::~Program() {
  Signal(SIGKILL);
  Reap(kLongWait);
  stopping_ = true;
  ReadOutput();
  reader_.join();
  ExpectNoSanitizerReport();
}

void Program::ExpectNoSanitizerReport() const {
  // Its status does not show one: most programs here end by a signal, or may end with any status.
  for (const std::string_view sign : {"Sanitizer:", "runtime error: "}) {
    EXPECT_FALSE(err_->Contains(sign)) << err_->Text();
  }
}

void Program::OpenPipes(const ProgramOptions& options) {
  const auto pipe = [](Descriptor& read, Descriptor& write) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) Give("pipe2");
    read = Descriptor(fds[0]);
    write = Descriptor(fds[1]);
  };
  pipe(theirs_[0], input_);
  pipe(output_, theirs_[1]);
  pipe(errors_, theirs_[2]);
  if (options.stdout_reading == Reading::kLater) Fill(theirs_[1].get());
  if (options.stderr_reading == Reading::kLater) Fill(theirs_[2].get());
  ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
  err_ = std::make_shared<Capture>();
  read_out_ = options.stdout_reading == Reading::kAlways;
  read_err_ = options.stderr_reading == Reading::kAlways;
  if (options.stdout_reading == Reading::kNever) output_.Close();
  if (options.stderr_reading == Reading::kNever) errors_.Close();
}

void Program::OpenTerminal() {
  int ours = -1;
  int theirs = -1;
  const winsize size{.ws_row = 50, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::openpty(&ours, &theirs, nullptr, nullptr, &size) != 0) Give("openpty");
  ::fcntl(ours, F_SETFD, FD_CLOEXEC);
  ::fcntl(ours, F_SETFL, O_NONBLOCK);
  ::fcntl(theirs, F_SETFD, FD_CLOEXEC);
  output_ = Descriptor(ours);
  input_ = Descriptor(::fcntl(ours, F_DUPFD_CLOEXEC, 0));
  theirs_[0] = Descriptor(theirs);
  theirs_[1] = Descriptor(::fcntl(theirs, F_DUPFD_CLOEXEC, 0));
  theirs_[2] = Descriptor(::fcntl(theirs, F_DUPFD_CLOEXEC, 0));
}

void Program::Spawn(const ProgramOptions& options) {
  std::vector<std::string> words{options.executable.string()};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) Give("fork");
  if (pid_ == 0) {
    BecomeProgram(options, argv.data(), theirs_[0].get(), theirs_[1].get(), theirs_[2].get(),
                  parent);
  }
  process_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (process_.get() < 0) Give("pidfd_open");
  for (Descriptor& end : theirs_) end.Close();
}

void Program::ReadLoop() {
  bool out_open = output_.get() >= 0;
  bool err_open = errors_.get() >= 0;
  while ((out_open || err_open) && !stopping_) {
    std::array<pollfd, 3> fds{
        {{.fd = wake_.get(), .events = POLLIN, .revents = 0},
         {.fd = out_open && read_out_ ? output_.get() : -1, .events = POLLIN, .revents = 0},
         {.fd = err_open && read_err_ ? errors_.get() : -1, .events = POLLIN, .revents = 0}}};
    ::poll(fds.data(), fds.size(), -1);
    if (fds[0].revents != 0) {
      std::uint64_t ignored;
      [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &ignored, sizeof ignored);
    }
    if (fds[1].revents != 0 && !ReadOnce(output_.get(), *out_)) {
      out_open = false;
      out_->Close();
    }
    if (fds[2].revents != 0 && !ReadOnce(errors_.get(), *err_)) {
      err_open = false;
      err_->Close();
    }
  }
  out_->Close();
  err_->Close();
}

void Program::ReadOutput() {
  read_out_ = true;
  read_err_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t wrote = ::write(wake_.get(), &one, sizeof one);
}

bool Program::Write(std::string_view bytes, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (true) {
    bytes.remove_prefix(WriteSome(bytes));
    if (bytes.empty()) return true;
    pollfd fd{.fd = input_.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&fd, 1, MillisecondsUntil(deadline)) == 0 || (fd.revents & POLLERR) != 0) {
      return false;
    }
  }
}

std::size_t Program::WriteSome(std::string_view bytes) {
  const ssize_t wrote = ::write(input_.get(), bytes.data(), bytes.size());
  return static_cast<std::size_t>(std::max<ssize_t>(wrote, 0));
}

void Program::CloseInput() {
  if (console_ == Console::kTerminal) {
    Write("\x04");
  } else {
    input_.Close();
  }
}

void Program::Signal(int number) const {
  if (ending_) return;
  ::kill(pid_, number);
  // Its children, too, once it has a session of its own.
  if (number == SIGKILL) ::kill(-pid_, number);
}

bool Program::Reap(milliseconds limit) {
  if (ending_) return true;
  const auto deadline = Clock::now() + limit;
  pollfd fd{.fd = process_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&fd, 1, MillisecondsUntil(deadline)) < 0 && errno == EINTR) {
  }
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  const bool by_signal = WIFSIGNALED(status);
  ending_ = Ending{.status = by_signal ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                   .by_signal = by_signal};
  return true;
}

std::optional<Ending> Program::AwaitEnd(milliseconds limit) {
  if (!Reap(limit)) return std::nullopt;
  if (read_out_) out_->AwaitClose(kLongWait);
  if (read_err_) err_->AwaitClose(kLongWait);
  return ending_;
}

milliseconds Program::CpuTime() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  // Behind the name, which may hold blanks: state is field 3, utime 14, stime 15.
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t kernel = 0;
  fields >> user >> kernel;
  return milliseconds((user + kernel) * 1000 / ::sysconf(_SC_CLK_TCK));
}

std::size_t Program::StatusKib(std::string_view field) const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field)) return std::strtoul(line.c_str() + field.size(), nullptr, 10);
  }
  return 0;
}

}  // namespace drumbeat::system
