// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drumbeat/config.h"
#include "drumbeat/error.h"
#include "drumbeat/snapshot.h"
#include "drumbeat/types.h"

namespace drumbeat::codec {

// -- Session table (wire.md 5.3) -----------------------------------------------------------------

struct StoredResult {
  std::uint64_t series_id = 0;
  ApplyResult result;

  friend bool operator==(const StoredResult&, const StoredResult&) = default;
};
struct StoredSession {
  std::uint64_t client_id = 0;
  std::uint64_t responded_to = 0;
  /// In any order.
  std::vector<StoredResult> history;

  friend bool operator==(const StoredSession&, const StoredSession&) = default;
};
/// The replicated session table, least recently used session first.
struct StoredSessions {
  std::uint64_t capacity = 4096;
  std::vector<StoredSession> sessions;

  friend bool operator==(const StoredSessions&, const StoredSessions&) = default;
};

/// The JSON of all sessions of a table together: what is written must be what all can read. Far
/// more than sessions keep; Dragonboat has no such bound.
constexpr std::uint64_t kMaxSessionsBytes = std::uint64_t{16} << 30;

std::string EncodeSessions(const StoredSessions& sessions);
/// Writes the same, session by session, so that memory holds one and its text. kPayloadTooLarge,
/// when part of it was written, for a table that ReadSessions with this `max_bytes` refuses.
class SessionWriter {
 public:
  explicit SessionWriter(SnapshotWriter& writer, std::uint64_t max_bytes = kMaxSessionsBytes)
      : writer_(writer), max_bytes_(max_bytes), left_bytes_(max_bytes) {}

  struct Head {
    std::uint64_t capacity = 0;
    /// How many will be added.
    std::uint64_t sessions = 0;
  };
  Result<void> Begin(const Head& head);
  Result<void> Add(const StoredSession& session);

 private:
  SnapshotWriter& writer_;
  const std::uint64_t max_bytes_;
  std::uint64_t left_bytes_;
};
/// Reads a table from the front of `reader`, no byte more. Refuses capacity 0, more sessions than
/// the capacity, JSON of more than `max_bytes` in all, and anything that is not exactly such a
/// table; memory grows with the bytes that were really read.
Result<StoredSessions> ReadSessions(SnapshotReader& reader,
                                    std::uint64_t max_bytes = kMaxSessionsBytes);

// -- Image (wire.md 5.1 and 5.2) ------------------------------------------------------------------

/// Where an image's bytes go: its header comes last, because it holds checksums of the rest.
class ImageSink {
 public:
  virtual ~ImageSink() = default;
  /// Appends blocks and tail, in order, behind the header's 1,024 bytes.
  virtual Result<void> Append(std::string_view bytes) = 0;
};

/// Writes an image of format version 2: feed it the session table and then what the state machine
/// writes; blocks of 2 MiB go to the sink as they fill, so memory stays at a few blocks.
class ImageWriter : public SnapshotWriter {
 public:
  /// `now_unix_ns` goes into the header (and decides nothing).
  static std::unique_ptr<ImageWriter> Make(ImageSink& sink, Compression compression,
                                           std::uint64_t now_unix_ns);
  /// Writes the rest. Afterwards `header()` and `image_bytes()` are final.
  virtual Result<void> Finish() = 0;
  /// Exactly 1,024 bytes.
  virtual const std::string& header() const = 0;
  /// Header, blocks and tail.
  virtual std::uint64_t image_bytes() const = 0;
};

constexpr std::size_t kImageHeaderBytes = 1024;
constexpr std::size_t kImageTailBytes = 16;

/// Reads an image (both header styles, compressed or not) as one stream, the session table first,
/// and checks every checksum on the way; damage gives kDamaged. Needs a few blocks of memory.
/// `source` hands out the whole image from its first byte.
Result<std::unique_ptr<SnapshotReader>> OpenImage(std::unique_ptr<SnapshotReader> source,
                                                  std::uint64_t image_bytes);

/// Checks an image piece by piece while it arrives, before anybody trusts it. Pieces need not
/// match blocks.
class ImageValidator {
 public:
  static std::unique_ptr<ImageValidator> Make();
  virtual ~ImageValidator() = default;
  /// An error is final.
  virtual Result<void> Add(std::string_view piece) = 0;
  /// After the last piece: length, tail and everything else were right.
  virtual Result<void> Finish() = 0;
};

/// The stub that a witness gets: empty session table, no state; 1,060 bytes.
std::string WitnessImage(std::uint64_t now_unix_ns);

}  // namespace drumbeat::codec
