// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "transport/tcp_context.h"
#include "transport/tcp_incoming.h"

namespace drumbeat::transport {

/// Accepts connections and keeps their number bounded. Whoever never brought a frame of our
/// deployment makes room first, then whoever comes from where most come from, then who was silent
/// for longest: so one machine cannot take the places of the others, and many hosts on one machine
/// share them as if there were no such rule. Belongs to the I/O thread.
class TcpAcceptor {
 public:
  TcpAcceptor(TcpContext& context, std::vector<Tcp::acceptor> acceptors);

  void Start();
  void Stop();

 private:
  void Accept(std::size_t index);
  void OnAccepted(std::size_t index, const AsioError& error, Tcp::socket socket);
  void Admit(Tcp::socket socket);
  /// After the system refused, such as for want of descriptors.
  void Pause(std::size_t index, const AsioError& error);
  void CloseWorst(bool only_shaking_hands);
  std::size_t CountShakingHands() const;

  TcpContext& context_;
  /// Within this layer's part of the process's descriptors.
  const std::size_t max_connections_;
  std::vector<Tcp::acceptor> acceptors_;
  std::vector<asio::steady_timer> pauses_;
  std::map<TcpIncoming*, std::shared_ptr<TcpIncoming>> connections_;
  bool stopped_ = false;
};

}  // namespace drumbeat::transport
