// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "drumbeat/log.h"

#include "logging/logger.h"
#include "transport/tcp_transport.h"
#include "transport/transport.h"

namespace drumbeat::transport {

/// Longer than anything here should take, on a slow machine with sanitizers too.
constexpr std::chrono::seconds kPatience{30};

/// Writes down what a transport tells, and lets a test wait for it.
class RecordingHandler : public TransportHandler {
 public:
  struct Record {
    std::vector<raft::Envelope> messages;
    std::vector<std::string> sources;
    std::vector<codec::Chunk> chunks;
    std::vector<std::string> connected;
    std::vector<std::string> unreachable;
    std::vector<std::string> reasons;
  };

  void OnMessages(const std::string& source_address,
                  std::vector<raft::Envelope> messages) override {
    const std::lock_guard lock(mutex_);
    record_.sources.push_back(source_address);
    for (raft::Envelope& message : messages) record_.messages.push_back(std::move(message));
    changed_.notify_all();
  }
  bool OnChunk(codec::Chunk chunk) override {
    if (before_chunk) before_chunk();
    const std::lock_guard lock(mutex_);
    record_.chunks.push_back(std::move(chunk));
    changed_.notify_all();
    return !refuse_chunk || !refuse_chunk(record_.chunks.back());
  }
  void OnUnreachable(const std::string& address, const std::string& reason) override {
    std::unique_lock lock(mutex_);
    record_.unreachable.push_back(address);
    record_.reasons.push_back(reason);
    changed_.notify_all();
    lock.unlock();
    if (after_unreachable) after_unreachable();
  }
  void OnConnected(const std::string& address) override {
    const std::lock_guard lock(mutex_);
    record_.connected.push_back(address);
    changed_.notify_all();
  }

  /// Waits until `predicate` holds; false when it does not come to that.
  bool WaitFor(const std::function<bool(const Record&)>& predicate,
               std::chrono::milliseconds patience = kPatience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return predicate(record_); });
  }
  bool WaitForMessages(std::size_t count) {
    return WaitFor([count](const Record& record) { return record.messages.size() >= count; });
  }
  Record Get() {
    const std::lock_guard lock(mutex_);
    return record_;
  }

  // Set before the transport starts.
  std::function<void()> before_chunk;
  std::function<void()> after_unreachable;
  std::function<bool(const codec::Chunk&)> refuse_chunk;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Record record_;
};

/// Keeps log lines.
class CollectingSink : public LogSink {
 public:
  void Write(LogLevel level, std::string_view component, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string("DIWEC").substr(static_cast<std::size_t>(level), 1) + " | " +
                     std::string(component) + ": " + std::string(text));
    changed_.notify_all();
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  /// Waits for a line that contains `part`.
  bool WaitFor(const std::string& part) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      for (const std::string& line : lines_) {
        if (line.find(part) != std::string::npos) return true;
      }
      return false;
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// A transport on a free port with all that it talks to. Its raft address is the bound one.
struct TestHost {
  explicit TestHost(TcpOptions options = {}) {
    if (options.listen_address.empty() && options.listen_fd < 0)
      options.listen_address = "localhost:0";
    if (options.raft_address.empty()) options.raft_address = "test-host:1";
    Result<std::unique_ptr<Transport>> made =
        MakeTcpTransport(options, logging::Logger(sink, LogLevel::kInfo, "test"));
    if (made) {
      transport = std::move(*made);
    } else {
      error = made.error();
    }
  }
  ~TestHost() {
    if (transport != nullptr) transport->Stop();
  }

  Result<void> Start() { return transport->Start(handler); }
  std::string address() const { return transport->listen_address(); }
  void SendNow(const std::string& to, raft::Envelope message) {
    transport->Send(to, std::move(message));
    transport->Flush();
  }

  std::shared_ptr<CollectingSink> sink = std::make_shared<CollectingSink>();
  RecordingHandler handler;
  std::optional<Error> error;
  std::unique_ptr<Transport> transport;
};

}  // namespace drumbeat::transport
