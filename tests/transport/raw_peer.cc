// SPDX-License-Identifier: Apache-2.0
#include "transport/raw_peer.h"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace drumbeat::transport {
namespace {

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool WaitReadable(int descriptor, std::chrono::milliseconds patience) {
  pollfd poll_entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&poll_entry, 1, static_cast<int>(patience.count())) == 1;
}

}  // namespace

bool AllowDescriptors(std::uint64_t count) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return false;
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, count);
  return ::setrlimit(RLIMIT_NOFILE, &files) == 0;
}

RawPeer RawPeer::To(const std::string& address) {
  const std::string port = address.substr(address.rfind(':') + 1);
  const sockaddr_in target = Loopback(static_cast<std::uint16_t>(std::stoi(port)));
  RawPeer peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(peer.descriptor_, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) !=
      0) {
    peer.Close();
  }
  return peer;
}

RawPeer::RawPeer(RawPeer&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

RawPeer& RawPeer::operator=(RawPeer&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

bool RawPeer::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::optional<std::string> RawPeer::Read(std::size_t limit, std::chrono::milliseconds patience) {
  if (!WaitReadable(descriptor_, patience)) return std::nullopt;
  std::string bytes(limit, '\0');
  const ssize_t count = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

std::string RawPeer::ReadExactly(std::size_t count, std::chrono::milliseconds patience) {
  std::string bytes;
  while (bytes.size() < count) {
    const std::optional<std::string> more = Read(count - bytes.size(), patience);
    if (!more || more->empty()) break;
    bytes += *more;
  }
  return bytes;
}

bool RawPeer::WaitForEnd(std::chrono::milliseconds patience) {
  while (true) {
    const std::optional<std::string> more = Read(1u << 16, patience);
    if (!more) return false;
    if (more->empty()) return true;
  }
}

void RawPeer::Shutdown() { ::shutdown(descriptor_, SHUT_WR); }

void RawPeer::Close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

RawListener::RawListener(int receive_buffer_bytes)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer_bytes > 0) {
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                 sizeof(receive_buffer_bytes));
  }
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), size);
  ::listen(descriptor_, 128);
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
}

// The system answers no more than it may keep in line.
void RawListener::AnswerNobody() {
  ::listen(descriptor_, 0);
  in_the_way_ = RawPeer::To(address());
}

RawListener::~RawListener() { ::close(descriptor_); }

RawPeer RawListener::Accept(std::chrono::milliseconds patience) {
  if (!WaitReadable(descriptor_, patience)) return {};
  return RawPeer(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
}

}  // namespace drumbeat::transport
