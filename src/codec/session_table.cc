// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/byte_coding.h"
#include "codec/session_json.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

constexpr std::uint64_t kMaxCapacity = 1u << 24;

std::unexpected<Error> Damaged(const char* what) {
  return Fail(ErrorCode::kDamaged, std::string("damaged session table: ") + what);
}

std::unexpected<Error> TooLarge(std::uint64_t max_bytes) {
  return Fail(ErrorCode::kPayloadTooLarge, "the results that client sessions keep exceed the " +
                                               std::to_string(max_bytes) +
                                               " bytes that a snapshot may hold of them");
}

/// Grows only with what was really read.
Result<std::string> ReadPiece(SnapshotReader& reader, std::uint64_t length) {
  constexpr std::uint64_t kStep = 64u << 10;
  std::string piece;
  while (piece.size() < length) {
    const std::size_t have = piece.size();
    piece.resize(have + static_cast<std::size_t>(std::min(kStep, length - have)));
    const Result<std::size_t> got = reader.ReadFully(std::span(piece).subspan(have));
    if (!got) return std::unexpected(got.error());
    if (have + *got < piece.size()) return Damaged("it is cut off");
  }
  return piece;
}

Result<std::uint64_t> ReadNumber(SnapshotReader& reader) {
  const Result<std::string> bytes = ReadPiece(reader, sizeof(std::uint64_t));
  if (!bytes) return std::unexpected(bytes.error());
  return base::LoadLittle<std::uint64_t>(bytes->data());
}

/// `budget`: what the JSON may take; reduced by what it took.
Result<StoredSession> ReadSession(SnapshotReader& reader, std::uint64_t& budget) {
  const Result<std::uint64_t> length = ReadNumber(reader);
  if (!length) return std::unexpected(length.error());
  if (*length > budget) return Damaged("it is larger than any table may be");
  budget -= *length;
  const Result<std::string> text = ReadPiece(reader, *length);
  if (!text) return std::unexpected(text.error());
  std::optional<StoredSession> session = DecodeSession(*text);
  if (!session) return Damaged("a session cannot be decoded");
  return std::move(*session);
}

bool HasOneTwice(const std::vector<StoredSession>& sessions) {
  std::vector<std::uint64_t> ids;
  for (const StoredSession& session : sessions) ids.push_back(session.client_id);
  std::ranges::sort(ids);
  return std::ranges::adjacent_find(ids) != ids.end();
}

}  // namespace

std::string EncodeSessions(const StoredSessions& sessions) {
  class Text : public SnapshotWriter {
   public:
    Result<void> Write(std::string_view bytes) override {
      text.append(bytes);
      return {};
    }
    std::string text;
  };
  Text out;
  SessionWriter writer(out, std::numeric_limits<std::uint64_t>::max());
  (void)writer.Begin({.capacity = sessions.capacity, .sessions = sessions.sessions.size()});
  for (const StoredSession& session : sessions.sessions) (void)writer.Add(session);
  return std::move(out.text);
}

Result<void> SessionWriter::Begin(const Head& head) {
  std::string piece;
  base::AppendLittle(piece, head.capacity);
  base::AppendLittle(piece, head.sessions);
  return writer_.Write(piece);
}

Result<void> SessionWriter::Add(const StoredSession& session) {
  const std::string json = EncodeSession(session);
  if (json.size() > left_bytes_) return TooLarge(max_bytes_);
  left_bytes_ -= json.size();
  std::string length;
  base::AppendLittle(length, std::uint64_t{json.size()});
  if (Result<void> written = writer_.Write(length); !written) return written;
  return writer_.Write(json);
}

Result<StoredSessions> ReadSessions(SnapshotReader& reader, std::uint64_t max_bytes) {
  const Result<std::uint64_t> capacity = ReadNumber(reader);
  if (!capacity) return std::unexpected(capacity.error());
  const Result<std::uint64_t> count = ReadNumber(reader);
  if (!count) return std::unexpected(count.error());
  if (*capacity == 0 || *capacity > kMaxCapacity) return Damaged("its capacity");
  if (*count > *capacity) return Damaged("more sessions than it may hold");
  StoredSessions table{.capacity = *capacity, .sessions = {}};
  std::uint64_t budget = max_bytes;
  for (std::uint64_t i = 0; i < *count; ++i) {
    Result<StoredSession> session = ReadSession(reader, budget);
    if (!session) return std::unexpected(session.error());
    table.sessions.push_back(std::move(*session));
  }
  if (HasOneTwice(table.sessions)) return Damaged("a session stands in it twice");
  return table;
}

}  // namespace drumbeat::codec
