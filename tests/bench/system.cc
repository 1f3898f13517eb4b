// SPDX-License-Identifier: Apache-2.0
#include "bench/system.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace drumbeat::bench {

namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

std::uint64_t ToNs(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * kSecondNs +
         static_cast<std::uint64_t>(time.tv_nsec);
}

sockaddr_in Loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void NoDelay(int fd) {
  const int one = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) Die("TCP_NODELAY");
}

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string FileSystemName(const std::filesystem::path& folder) {
  struct statfs status{};
  if (statfs(folder.c_str(), &status) != 0) return "unknown file system";
  switch (static_cast<unsigned long>(status.f_type)) {
    case 0xef53: return "ext4";
    case 0x58465342: return "xfs";
    case 0x9123683e: return "btrfs";
    case 0x794c7630: return "overlayfs";
    case 0x01021994: return "tmpfs (NOT DURABLE: syncs cost nothing here)";
    default: return "file system " + std::to_string(status.f_type);
  }
}

}  // namespace

void Die(std::string_view what) {
  const std::string why = std::generic_category().message(errno);
  std::fprintf(stderr, "drumbeat_bench: %.*s: %s\n", static_cast<int>(what.size()), what.data(),
               why.c_str());
  std::exit(1);
}

std::uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return ToNs(now);
}

void SleepUntilNs(std::uint64_t when) {
  timespec until{};
  until.tv_sec = static_cast<time_t>(when / kSecondNs);
  until.tv_nsec = static_cast<long>(when % kSecondNs);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

std::uint64_t CpuNs(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    Die("CPU time of a process");
  }
  return ToNs(used);
}

std::uint64_t ContextSwitches(pid_t pid) {
  const std::string process = pid == 0 ? "self" : std::to_string(pid);
  std::uint64_t sum = 0;
  std::error_code gone;
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/" + process + "/task", gone)) {
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.find("voluntary_ctxt_switches:") == std::string::npos) continue;
      sum += std::stoull(line.substr(line.find(':') + 1));
    }
  }
  return sum;
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.Release();
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

int Fd::Release() { return std::exchange(fd_, -1); }

Listener ListenOnLoopback() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback();
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (fd.get() < 0 || bind(fd.get(), generic, size) != 0 || listen(fd.get(), SOMAXCONN) != 0 ||
      getsockname(fd.get(), generic, &size) != 0) {
    Die("listen on loopback");
  }
  return {.fd = std::move(fd), .port = ntohs(address.sin_port)};
}

Connection ConnectOverLoopback() {
  const Listener listener = ListenOnLoopback();
  sockaddr_in address = Loopback();
  address.sin_port = htons(listener.port);
  Fd near(socket(AF_INET, SOCK_STREAM, 0));
  if (connect(near.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Die("connect over loopback");
  }
  Fd far(accept(listener.fd.get(), nullptr, nullptr));
  if (far.get() < 0) Die("accept over loopback");
  NoDelay(near.get());
  NoDelay(far.get());
  return {.near = std::move(near), .far = std::move(far)};
}

bool ReadAll(int fd, char* bytes, std::size_t count) {
  while (count != 0) {
    const ssize_t got = read(fd, bytes, count);
    if (got <= 0) return false;
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

bool WriteAll(int fd, const char* bytes, std::size_t count) {
  while (count != 0) {
    const ssize_t put = write(fd, bytes, count);
    if (put < 0 && errno == EAGAIN) {
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
      continue;
    }
    if (put <= 0) return false;
    bytes += put;
    count -= static_cast<std::size_t>(put);
  }
  return true;
}

TempFolder::TempFolder(const std::filesystem::path& parent) {
  std::string name = (parent / "drumbeat-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) Die("make a folder in " + parent.string());
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string MachineLine(const std::filesystem::path& folder) {
  utsname kernel{};
  uname(&kernel);
  return ProcessorName() + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores, " +
         kernel.sysname + " " + kernel.release + ", " + FileSystemName(folder) +
         ", g++ " __VERSION__
#ifdef __OPTIMIZE__
         ", optimised"
#else
         ", NOT OPTIMISED"
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
         ", SANITIZED"
#endif
      ;
}

}  // namespace drumbeat::bench
