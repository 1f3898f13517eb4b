// SPDX-License-Identifier: Apache-2.0
#include "transport/incoming_connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace drumbeat::transport {
namespace {

Arrival Broken(std::string reason) {
  return {.kind = Arrival::Kind::kBroken, .method = {}, .payload = {}, .reason = std::move(reason)};
}

}  // namespace

IncomingConnection::~IncomingConnection() { Release(); }

Arrival IncomingConnection::Take(std::string_view& bytes, Time now) {
  if (!InPayload()) {
    if (bytes.empty()) return {};
    Arrival arrival = TakeHead(bytes, now);
    if (arrival.kind != Arrival::Kind::kNothing || !InPayload()) return arrival;
  }
  return TakePayload(bytes, now);
}

Arrival IncomingConnection::TakeHead(std::string_view& bytes, Time now) {
  if (head_bytes_ == 0) head_since_ = now;
  const std::size_t count = std::min(head_.size() - head_bytes_, bytes.size());
  std::memcpy(head_.data() + head_bytes_, bytes.data(), count);
  head_bytes_ += count;
  bytes.remove_prefix(count);

  const std::string_view head(head_.data(), head_bytes_);
  const std::string_view magic = head.substr(0, codec::kMagicBytes);
  if (magic == codec::kPoison) {
    return {.kind = Arrival::Kind::kPoison, .method = {}, .payload = {}, .reason = {}};
  }
  if (magic != codec::kFrameMagic.substr(0, magic.size()) &&
      magic != codec::kPoison.substr(0, magic.size())) {
    return Broken("no frame begins like this");
  }
  if (!InPayload()) return {};

  Result<codec::FrameHeader> header =
      codec::DecodeFrameHeader(head.substr(codec::kMagicBytes), limits_.max_frame_bytes);
  if (!header) return Broken(std::string(header.error().text()));
  header_ = *header;
  have_ = 0;
  piece_end_ = std::min<std::size_t>(kPieceBytes, header_.payload_bytes);
  piece_deadline_ = now + kPieceLimit;
  return {};
}

Arrival IncomingConnection::TakePayload(std::string_view& bytes, Time now) {
  const auto size = static_cast<std::size_t>(header_.payload_bytes);
  if (buffer_ == nullptr && bytes.size() >= size) {
    const std::string_view payload = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return Complete(base::Bytes::Copy(payload));
  }
  while (have_ < size && !bytes.empty()) {
    const std::span<char> space = Space();
    if (space.empty()) return Broken("too much memory is taken by unfinished frames");
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    Filled(count, now);
  }
  if (have_ < size) return {};
  base::Bytes payload = base::Bytes::Share(buffer_, std::string_view(buffer_->data(), size));
  Release();
  return Complete(std::move(payload));
}

Arrival IncomingConnection::Complete(base::Bytes payload) {
  head_bytes_ = 0;
  if (!codec::PayloadMatches(header_, payload.view(), limits_.check)) {
    return Broken("the checksum of a frame does not match");
  }
  ++frames_;
  return {.kind = Arrival::Kind::kFrame,
          .method = header_.method,
          .payload = std::move(payload),
          .reason = {}};
}

std::span<char> IncomingConnection::Space() {
  if (!InPayload()) return {};
  const auto size = static_cast<std::size_t>(header_.payload_bytes);
  if (buffer_ == nullptr || have_ == buffer_->size()) {
    if (!Reserve(std::min(size, std::max(kFirstBufferBytes, 2 * have_)))) return {};
  }
  return {buffer_->data() + have_, std::min(buffer_->size(), size) - have_};
}

void IncomingConnection::Filled(std::size_t count, Time now) {
  have_ += count;
  if (have_ < piece_end_) return;
  piece_end_ = have_ + std::min<std::size_t>(kPieceBytes, header_.payload_bytes - have_);
  piece_deadline_ = now + kPieceLimit;
}

std::optional<Time> IncomingConnection::deadline() const {
  if (!InFrame()) return std::nullopt;
  return InPayload() ? piece_deadline_ : head_since_ + kHeaderLimit;
}

bool IncomingConnection::Reserve(std::size_t capacity) {
  const std::size_t more = Counted(capacity) - (buffer_ == nullptr ? 0 : Counted(buffer_->size()));
  if (!budget_.Take(more)) return false;
  base::Buffer* larger = nullptr;
  try {
    larger = base::Buffer::New(capacity);
  } catch (...) {
    budget_.Return(more);
    throw;
  }
  if (buffer_ != nullptr) {
    std::memcpy(larger->data(), buffer_->data(), have_);
    buffer_->Unref();
  }
  buffer_ = larger;
  return true;
}

void IncomingConnection::Release() {
  if (buffer_ == nullptr) return;
  budget_.Return(Counted(buffer_->size()));
  buffer_->Unref();
  buffer_ = nullptr;
}

}  // namespace drumbeat::transport
