// SPDX-License-Identifier: Apache-2.0
#include "state_machine/guarded_machine.h"

#include <exception>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace drumbeat::state_machine {

namespace {

/// Which call failed; the entry only where there is one.
struct Call {
  std::string_view name;
  Index entry;
};

std::unexpected<Error> Failed(const Call& call, std::string_view how, std::string_view text) {
  std::string message("state machine: ");
  message += call.name;
  if (call.entry) message += " of entry " + std::to_string(call.entry.value());
  message.append(how).append(text);
  return Fail(ErrorCode::kReplicaFailed, std::move(message));
}

thread_local bool in_user_code = false;

/// While it lives, the thread is inside of a user's state machine.
class UserCode {
 public:
  UserCode() : outer_(std::exchange(in_user_code, true)) {}
  ~UserCode() { in_user_code = outer_; }
  UserCode(const UserCode&) = delete;
  UserCode& operator=(const UserCode&) = delete;

 private:
  const bool outer_;
};

/// Runs `body`; an exception becomes kReplicaFailed.
template <class Body>
auto Contained(const Call& call, Body body) -> std::invoke_result_t<Body> {
  const UserCode inside;
  try {
    return body();
  } catch (const std::exception& thrown) {
    return Failed(call, " threw: ", thrown.what());
  } catch (...) {
    return Failed(call, " threw ", "something that is no std::exception");
  }
}

/// What an operation on a snapshot comes to: an error of the stream under it explains all others.
Result<void> Judge(const Call& call, Result<void> returned,
                   const std::optional<Error>& stream_error) {
  if (stream_error) return std::unexpected(*stream_error);
  if (returned || returned.error().code == ErrorCode::kAborted) return returned;
  if (returned.error().code == ErrorCode::kReplicaFailed) return returned;
  return Failed(call, " returned an error: ", returned.error().text());
}

/// What a stream says or throws; a state machine must not swallow either.
template <class Body>
auto OfStream(std::optional<Error>& error, Body body) -> std::invoke_result_t<Body> {
  if (error) return std::unexpected(*error);
  try {
    std::invoke_result_t<Body> result = body();
    if (!result) error = result.error();
    return result;
  } catch (const std::bad_alloc&) {
    error = Error{ErrorCode::kStorage, "the system gives no more memory"};
  } catch (const std::exception& thrown) {
    error = Error{ErrorCode::kReplicaFailed, thrown.what()};
  }
  return std::unexpected(*error);
}

/// Remembers the first error of the writer under it, whatever the state machine makes of it.
class WatchedWriter : public SnapshotWriter {
 public:
  explicit WatchedWriter(SnapshotWriter& writer) : writer_(writer) {}
  Result<void> Write(std::string_view bytes) override {
    return OfStream(error_, [&] { return writer_.Write(bytes); });
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  SnapshotWriter& writer_;
  std::optional<Error> error_;
};

class WatchedReader : public SnapshotReader {
 public:
  explicit WatchedReader(SnapshotReader& reader) : reader_(reader) {}
  Result<std::size_t> Read(std::span<char> buffer) override {
    return OfStream(error_, [&] { return reader_.Read(buffer); });
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  SnapshotReader& reader_;
  std::optional<Error> error_;
};

}  // namespace

bool InUserCode() { return in_user_code; }

GuardedMachine::GuardedMachine(std::unique_ptr<StateMachine> machine)
    : machine_(std::move(machine)) {}

Result<ApplyResult> GuardedMachine::Update(Index index, std::string_view command) {
  const Call call{.name = "Update", .entry = index};
  return Contained(call, [&]() -> Result<ApplyResult> {
    Result<ApplyResult> result = machine_->Update({.index = index, .command = command});
    if (!result) return Failed(call, " returned an error: ", result.error().text());
    return result;
  });
}

Result<std::any> GuardedMachine::Lookup(const std::any& query) const {
  return Contained({.name = "Lookup", .entry = {}}, [&]() -> Result<std::any> {
    Result<std::any> answer = std::as_const(*machine_).Lookup(query);
    // In place: clang cannot move libstdc++ 12's expected of an any.
    if (answer) return Result<std::any>(std::in_place, *std::move(answer));
    // Here that code says that it threw; as an answer it is about something else.
    if (answer.error().code == ErrorCode::kReplicaFailed) answer.error().code = ErrorCode::kAborted;
    return std::unexpected(std::move(answer.error()));
  });
}

Result<void> GuardedMachine::Save(SnapshotWriter& writer, std::stop_token stop) const {
  const Call call{.name = "SaveSnapshot", .entry = {}};
  WatchedWriter watched(writer);
  Result<void> saved = Contained(
      call, [&] { return std::as_const(*machine_).SaveSnapshot(watched, std::move(stop)); });
  return Judge(call, std::move(saved), watched.error());
}

Result<void> GuardedMachine::Recover(SnapshotReader& reader, std::stop_token stop) {
  const Call call{.name = "RecoverFromSnapshot", .entry = {}};
  WatchedReader watched(reader);
  Result<void> recovered =
      Contained(call, [&] { return machine_->RecoverFromSnapshot(watched, std::move(stop)); });
  return Judge(call, std::move(recovered), watched.error());
}

void GuardedMachine::Close() {
  std::ignore = Contained({.name = "Close", .entry = {}}, [&]() -> Result<void> {
    machine_->Close();
    return {};
  });
  const UserCode inside;
  machine_.reset();
}

}  // namespace drumbeat::state_machine
