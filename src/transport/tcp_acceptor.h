// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "transport/tcp_context.h"
#include "transport/tcp_incoming.h"

namespace drumbeat::transport {

/// Accepts connections and keeps their number bounded; place.h says who makes room. Belongs to the
/// I/O thread.
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
  void MakeRoom(bool only_shaking_hands);
  std::size_t CountShakingHands() const;
  std::shared_ptr<ReceiveBudget> BudgetOf(const asio::ip::address& network);

  TcpContext& context_;
  /// Within this layer's part of the process's descriptors.
  const std::size_t max_connections_;
  std::vector<Tcp::acceptor> acceptors_;
  std::vector<asio::steady_timer> pauses_;
  std::map<TcpIncoming*, std::shared_ptr<TcpIncoming>> connections_;
  /// Those in use; the others are dropped when somebody new comes.
  std::map<asio::ip::address, std::weak_ptr<ReceiveBudget>> budgets_;
  bool stopped_ = false;
};

}  // namespace drumbeat::transport
