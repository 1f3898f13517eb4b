// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace helloworld {

// A pipe for one test.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    CloseReadEnd();
    CloseWriteEnd();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void CloseReadEnd() { Close(ends_[0]); }
  void CloseWriteEnd() { Close(ends_[1]); }

  void Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::write(write_end(), bytes.data(), bytes.size());
      ASSERT_GT(size, 0);
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  // Leaves no room for another byte.
  void Fill() {
    const int flags = ::fcntl(write_end(), F_GETFL);
    ::fcntl(write_end(), F_SETFL, flags | O_NONBLOCK);
    const std::string chunk(4096, '.');
    while (::write(write_end(), chunk.data(), chunk.size()) > 0) {
    }
    while (::write(write_end(), ".", 1) > 0) {
    }
    ::fcntl(write_end(), F_SETFL, flags);
  }
  // What comes next, at least one byte; empty when nothing comes in 10 seconds.
  std::string Read() {
    pollfd readable{.fd = read_end(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 10'000) != 1) return {};
    std::array<char, 65536> buffer{};
    const ssize_t size = ::read(read_end(), buffer.data(), buffer.size());
    return std::string(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  }
  // Everything up to and with `end`.
  std::string ReadUntil(std::string_view end) {
    std::string out;
    while (!out.ends_with(end)) {
      const std::string more = Read();
      if (more.empty()) return out + "(nothing more came)";
      out += more;
    }
    return out;
  }

 private:
  static void Close(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }

  std::array<int, 2> ends_{-1, -1};
};

}  // namespace helloworld
