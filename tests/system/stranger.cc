// SPDX-License-Identifier: Apache-2.0
#include "system/stranger.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

#include <poll.h>
#include <zlib.h>

namespace drumbeat::system {
namespace {

using std::chrono::milliseconds;

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint32_t Crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

void AppendBigEndian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

}  // namespace

Stranger::Stranger(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = Loopback(port);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    socket_.Close();
  }
}

std::size_t Stranger::Send(std::string_view bytes, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::size_t sent = 0;
  while (sent < bytes.size() && Clock::now() < deadline) {
    const ssize_t taken = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0) {
      sent += static_cast<std::size_t>(taken);
    } else if (errno == EAGAIN) {
      pollfd fd{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
      ::poll(&fd, 1, 10);
    } else {
      break;
    }
  }
  return sent;
}

void Stranger::EndSending() { ::shutdown(socket_.get(), SHUT_WR); }

bool Stranger::AwaitClose(milliseconds limit) const {
  const auto deadline = Clock::now() + limit;
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    pollfd fd{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (left <= 0 || ::poll(&fd, 1, static_cast<int>(left)) == 0) return false;
    std::array<char, 4096> ignored;
    if (::recv(socket_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT) <= 0) return true;
  }
}

bool Stranger::AwaitPort(std::uint16_t port) {
  const auto deadline = Clock::now() + kLongWait;
  while (!Stranger(port).connected()) {
    if (Clock::now() > deadline) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

Descriptor Stranger::Listen(std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 16) != 0) {
    socket.Close();
  }
  return socket;
}

std::string FrameHead(std::uint16_t method, std::uint64_t size, std::uint32_t payload_crc) {
  std::string header;
  AppendBigEndian(header, method, 2);
  AppendBigEndian(header, size, 8);
  AppendBigEndian(header, 0, 4);
  AppendBigEndian(header, payload_crc, 4);
  std::string crc;
  AppendBigEndian(crc, Crc(header), 4);
  header.replace(10, 4, crc);
  return "\xae\x7d" + header;
}

std::string Frame(std::uint16_t method, std::string_view payload) {
  return FrameHead(method, payload.size(), Crc(payload)).append(payload);
}

}  // namespace drumbeat::system
