// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "transport/connection.h"
#include "transport/dialer.h"
#include "transport/outgoing_frame.h"
#include "transport/outgoing_link.h"
#include "transport/tcp_context.h"

namespace drumbeat::transport {

/// Does what an OutgoingLink decides, for one address, over TCP.
///
/// Plain connections are written by whoever flushes, right there: a hop to the I/O thread would
/// cost more than the write. What the socket does not take at once, and everything under TLS, is
/// left to the I/O thread, which also watches for the end of the connection, so that a peer that
/// went away is dialled anew before the next message is spent on a dead connection.
///
/// Thread-safety: Send(), Flush(), Drained(), MayDial() and NoteDial() from any thread, the rest
/// from the I/O thread.
class TcpLink : public std::enable_shared_from_this<TcpLink> {
 public:
  TcpLink(TcpContext& context, std::string address);

  /// True when the link has to be flushed and nobody was asked to yet.
  bool Send(raft::Envelope message);
  void Flush();
  /// A message came from this address, or so it says. From the I/O thread.
  void Heard();

  /// Whether the address may be dialled now, and how a dial for another purpose went.
  bool MayDial();
  void NoteDial(bool reached);

  bool Drained();
  bool Forgettable();
  /// Whether it reaches nobody at the moment.
  bool Dispensable();
  /// Ends everything; what the socket has taken still goes out.
  void Close();

 private:
  /// Does what belongs to the I/O thread; from another thread it goes there.
  void Hand(LinkActions actions);
  void Perform(LinkActions actions);

  void Dial();
  /// One of the places for connections to other hosts; false when there is none.
  bool TakePlace();
  void ReturnPlace();
  /// Has whoever was of no use for longest, and for kUselessFor at least, make room.
  void MakeRoom();
  std::optional<Time> IdleSince();
  void LeavePlace();
  void OnDialed(std::shared_ptr<Connection> connection, std::string reason);
  void CloseConnection();
  /// `connection` is of no more use. Does nothing when it was replaced already.
  void FailConnection(const std::shared_ptr<Connection>& connection, std::string reason);
  void WatchForEnd(const std::shared_ptr<Connection>& connection);
  void WatchDeadline();
  void Report(const LinkUp& up);
  void Report(const LinkDown& down);

  bool Closed();
  /// Nobody begins to write any more; false when another thread still writes.
  bool CloseForWriters();
  bool BeginWrite(int& descriptor);
  /// The next bytes are in `frame_`; false when there are none and the right to write was given
  /// back. Only with the right to write.
  bool PrepareFrame();
  NextWrite NextFrame(bool& failed);
  /// For want of memory, above all: Raft repeats what was in it.
  void DropFrame();
  void WroteFrame();
  /// Gives the right to write back, because the connection is of no more use.
  void EndWrite(std::string reason);
  void HandFailure();

  /// Any thread.
  void WritePlain();
  void AwaitWritable(bool progressed);
  /// The I/O thread.
  void WriteSecure();
  void WriteSecureSome();

  TcpContext& context_;
  const std::string address_;
  const std::optional<HostPort> target_;

  base::Mutex mutex_;
  OutgoingLink link_ DRUMBEAT_GUARDED_BY(mutex_);
  bool dirty_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  bool closed_ DRUMBEAT_GUARDED_BY(mutex_) = false;
  /// The plain connection that stands, or -1. Stays open while someone has the right to write.
  int descriptor_ DRUMBEAT_GUARDED_BY(mutex_) = -1;
  /// Why the connection has to be ended once nobody writes on it. Nobody begins to any more.
  std::optional<std::string> failure_ DRUMBEAT_GUARDED_BY(mutex_);

  // Of whoever has the right to write.
  std::vector<QueuedMessage> batch_;
  OutgoingFrame frame_;

  // The I/O thread's.
  std::shared_ptr<Dialer> dialer_;
  Time dialed_at_;
  std::shared_ptr<Connection> connection_;
  std::array<char, 16> unexpected_{};
  asio::steady_timer timer_;
  std::optional<Time> timer_at_;
};

}  // namespace drumbeat::transport
