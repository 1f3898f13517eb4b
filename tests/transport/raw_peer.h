// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drumbeat::transport {

/// Lets this process open `count` descriptors, or as many as the system allows.
bool AllowDescriptors(std::uint64_t count);

/// A plain blocking TCP socket that speaks whatever a test wants it to.
class RawPeer {
 public:
  RawPeer() = default;
  explicit RawPeer(int descriptor) : descriptor_(descriptor) {}
  /// Connects to 127.0.0.1 at the port of `address`; check ok().
  static RawPeer To(const std::string& address);
  ~RawPeer() { Close(); }
  RawPeer(RawPeer&& other) noexcept;
  RawPeer& operator=(RawPeer&& other) noexcept;

  bool ok() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

  /// False once the other side is gone.
  bool Write(std::string_view bytes);
  /// The next bytes, at most `limit`; empty at the end of the connection; nothing when `patience`
  /// ran out before any came.
  std::optional<std::string> Read(std::size_t limit, std::chrono::milliseconds patience);
  /// Reads until there are `count` bytes or no more come.
  std::string ReadExactly(std::size_t count, std::chrono::milliseconds patience);
  /// Reads and drops everything; true when the connection ended in time.
  bool WaitForEnd(std::chrono::milliseconds patience);
  void Shutdown();
  void Close();

 private:
  int descriptor_ = -1;
};

/// Listens on a free port of 127.0.0.1.
class RawListener {
 public:
  /// `receive_buffer_bytes` 0: the system's.
  explicit RawListener(int receive_buffer_bytes = 0);
  ~RawListener();
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// Not ok() when nobody came.
  RawPeer Accept(std::chrono::milliseconds patience);
  /// From now on whoever connects waits for an answer.
  void AnswerNobody();

 private:
  RawPeer in_the_way_;
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace drumbeat::transport
