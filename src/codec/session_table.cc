// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/byte_coding.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

using Json = nlohmann::json;

/// Bytes of one session's JSON; a history holds results that a state machine returned.
constexpr std::uint64_t kMaxSessionBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxCapacity = 1u << 24;
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string Base64(std::string_view data) {
  std::string out;
  for (std::size_t i = 0; i < data.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t have = std::min<std::size_t>(3, data.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8) | (k < have ? static_cast<unsigned char>(data[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out.push_back(k <= have ? kAlphabet[(group >> (18 - 6 * k)) & 63] : '=');
    }
  }
  return out;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const std::size_t value = c == '=' ? 0 : kAlphabet.find(c);
      padding += c == '=' ? 1 : 0;
      if (value == std::string_view::npos || (c != '=' && padding > 0)) return std::nullopt;
      group = (group << 6) | static_cast<std::uint32_t>(value);
    }
    if (padding > 2 || (padding > 0 && !last)) return std::nullopt;
    for (std::size_t k = 0; k < 3 - padding; ++k) {
      out.push_back(static_cast<char>(group >> (16 - 8 * k)));
    }
  }
  return out;
}

/// As Dragonboat writes it: members in this order, history keys sorted as texts, no blanks.
std::string SessionJson(const StoredSession& session) {
  std::vector<std::pair<std::string, const ApplyResult*>> history;
  for (const StoredResult& stored : session.history) {
    history.emplace_back(std::to_string(stored.series_id), &stored.result);
  }
  std::sort(history.begin(), history.end());
  std::string out = "{\"History\":{";
  for (std::size_t i = 0; i < history.size(); ++i) {
    const auto& [series, result] = history[i];
    if (i > 0) out += ',';
    out += '"' + series + "\":{\"Value\":" + std::to_string(result->value) + ",\"Data\":";
    out += result->data.empty() ? "null" : '"' + Base64(result->data) + '"';
    out += '}';
  }
  out += "},\"ClientID\":" + std::to_string(session.client_id) +
         ",\"RespondedUpTo\":" + std::to_string(session.responded_to) + "}";
  return out;
}

/// A whole number from 0 to 2^64 - 1; nothing for anything else.
std::optional<std::uint64_t> Whole(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

std::optional<StoredResult> ResultFrom(const std::string& series, const Json& json) {
  StoredResult stored;
  const auto [end, problem] =
      std::from_chars(series.data(), series.data() + series.size(), stored.series_id);
  if (problem != std::errc() || end != series.data() + series.size()) return std::nullopt;
  if (!json.is_object()) return std::nullopt;
  const std::optional<std::uint64_t> value = Whole(json, "Value");
  if (!value) return std::nullopt;
  stored.result.value = *value;
  const auto data = json.find("Data");
  if (data == json.end() || data->is_null()) return stored;
  if (!data->is_string()) return std::nullopt;
  std::optional<std::string> bytes = FromBase64(data->get_ref<const std::string&>());
  if (!bytes) return std::nullopt;
  stored.result.data = std::move(*bytes);
  return stored;
}

std::optional<StoredSession> SessionFrom(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const std::optional<std::uint64_t> client = Whole(json, "ClientID");
  const std::optional<std::uint64_t> responded = Whole(json, "RespondedUpTo");
  const auto history = json.find("History");
  if (!client || !responded || history == json.end()) return std::nullopt;
  StoredSession session{.client_id = *client, .responded_to = *responded, .history = {}};
  if (history->is_null()) return session;
  if (!history->is_object()) return std::nullopt;
  for (const auto& [series, result] : history->items()) {
    std::optional<StoredResult> stored = ResultFrom(series, result);
    if (!stored) return std::nullopt;
    session.history.push_back(std::move(*stored));
  }
  return session;
}

std::unexpected<Error> Damaged(const char* what) {
  return Fail(ErrorCode::kDamaged, std::string("damaged session table: ") + what);
}

/// Grows only with what was really read.
Result<std::string> ReadPiece(SnapshotReader& reader, std::uint64_t length) {
  constexpr std::uint64_t kStep = 64u << 10;
  std::string piece;
  while (piece.size() < length) {
    const std::size_t have = piece.size();
    piece.resize(have + static_cast<std::size_t>(std::min(kStep, length - have)));
    for (std::size_t at = have; at < piece.size();) {
      const Result<std::size_t> got = reader.Read(std::span(piece).subspan(at));
      if (!got) return std::unexpected(got.error());
      if (*got == 0) return Damaged("it is cut off");
      at += *got;
    }
  }
  return piece;
}

Result<std::uint64_t> ReadNumber(SnapshotReader& reader) {
  const Result<std::string> bytes = ReadPiece(reader, sizeof(std::uint64_t));
  if (!bytes) return std::unexpected(bytes.error());
  return base::LoadLittle<std::uint64_t>(bytes->data());
}

}  // namespace

std::string EncodeSessions(const StoredSessions& sessions) {
  std::string out;
  base::AppendLittle(out, sessions.capacity);
  base::AppendLittle(out, std::uint64_t{sessions.sessions.size()});
  for (const StoredSession& session : sessions.sessions) {
    const std::string json = SessionJson(session);
    base::AppendLittle(out, std::uint64_t{json.size()});
    out += json;
  }
  return out;
}

Result<StoredSessions> ReadSessions(SnapshotReader& reader) {
  const Result<std::uint64_t> capacity = ReadNumber(reader);
  if (!capacity) return std::unexpected(capacity.error());
  const Result<std::uint64_t> count = ReadNumber(reader);
  if (!count) return std::unexpected(count.error());
  if (*capacity == 0 || *capacity > kMaxCapacity) return Damaged("its capacity");
  if (*count > *capacity) return Damaged("more sessions than it may hold");
  StoredSessions table{.capacity = *capacity, .sessions = {}};
  for (std::uint64_t i = 0; i < *count; ++i) {
    const Result<std::uint64_t> length = ReadNumber(reader);
    if (!length) return std::unexpected(length.error());
    if (*length > kMaxSessionBytes) return Damaged("a session's length");
    const Result<std::string> text = ReadPiece(reader, *length);
    if (!text) return std::unexpected(text.error());
    std::optional<StoredSession> session = SessionFrom(*text);
    if (!session) return Damaged("a session cannot be decoded");
    table.sessions.push_back(std::move(*session));
  }
  return table;
}

}  // namespace drumbeat::codec
