// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "transport/dialer.h"
#include "transport/outgoing_frame.h"
#include "transport/outgoing_snapshot.h"
#include "transport/post_memory.h"
#include "transport/tcp_link.h"

namespace drumbeat::transport {

/// Streams one snapshot as OutgoingSnapshot decides. Belongs to the I/O thread; chunks are fetched
/// and encoded on the thread for outgoing chunks.
class TcpSnapshot : public std::enable_shared_from_this<TcpSnapshot> {
 public:
  using Done = std::function<void(Result<void>)>;
  /// Told when it has ended and no longer uses its source.
  using Released = std::function<void(const std::shared_ptr<TcpSnapshot>&)>;

  /// `link` knows whether the address may be dialled. `done` is called once.
  TcpSnapshot(TcpContext& context, std::shared_ptr<TcpLink> link, std::string address,
              std::unique_ptr<ChunkSource> chunks, Done done);

  void Start(Released released);
  /// Ends it with `error`.
  void Stop(Error error);
  /// Only when the threads have ended.
  void ReleaseSource() { chunks_ = nullptr; }

 private:
  void Perform(SnapshotStep step);
  void PerformNow(SnapshotStep step);
  /// Runs `step`, and ends the stream when it throws: nothing else might.
  template <class Step>
  void Try(Step step);
  void Dial();
  void OnDialed(std::shared_ptr<Connection> connection, std::string reason);
  void Fetch();
  /// False when there are no more chunks. On the thread for outgoing chunks.
  Result<bool> FetchChunk();
  void OnFetched(Result<bool> more);
  void WriteSome();
  void OnWritten(const AsioError& error, std::size_t count);
  void AwaitAnswer();
  void OnAnswer(const AsioError& error, std::size_t count);
  void WatchDeadline();
  void Finish();
  void ReleaseIfUnused();

  TcpContext& context_;
  const std::shared_ptr<TcpLink> link_;
  const std::string address_;
  std::unique_ptr<ChunkSource> chunks_;
  Done done_;
  Released released_;
  OutgoingSnapshot snapshot_;
  bool fetching_ = false;
  PostMemory way_back_;

  /// Of whichever thread has it: filled by the one that fetches, then written by the I/O thread.
  OutgoingFrame frame_;
  std::shared_ptr<Dialer> dialer_;
  std::shared_ptr<Connection> connection_;
  std::array<char, 16> answer_{};
  asio::steady_timer timer_;
};

}  // namespace drumbeat::transport
