// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "system/program.h"

namespace drumbeat::system {

/// Somebody unknown who connects to a port of this machine and sends what they like.
class Stranger {
 public:
  /// Connects; connected() says whether it worked.
  explicit Stranger(std::uint16_t port);

  bool connected() const { return socket_.get() >= 0; }
  /// Sends all, or as much as is taken within `limit`: how much.
  std::size_t Send(std::string_view bytes,
                   std::chrono::milliseconds limit = std::chrono::seconds(1));
  /// Ends the sending half of the connection.
  void EndSending();
  /// Whether the other side closes, or resets, within `limit`.
  bool AwaitClose(std::chrono::milliseconds limit) const;

  /// Whether somebody listens at the port within kLongWait.
  static bool AwaitPort(std::uint16_t port);
  /// A socket that listens at the port, and never accepts.
  static Descriptor Listen(std::uint16_t port);

 private:
  Descriptor socket_;
};

/// Magic and header of a frame as Dragonboat sends it: `method` is 100 for messages and 200 for
/// snapshot chunks. Written without the library's own codec.
std::string FrameHead(std::uint16_t method, std::uint64_t size, std::uint32_t payload_crc = 0);
/// A whole frame with good checksums.
std::string Frame(std::uint16_t method, std::string_view payload);

}  // namespace drumbeat::system
